package import EventStore
package import Handlers
package import Logging
import Synchronization

/// Takes invocations one after the other and answers each, until the process is told to end.
package struct RuntimeLoop: Sendable {
    /// Answers an event. What it throws Lambda is told as the invocation's failure.
    package typealias Function = @Sendable (LambdaEvent, Invocation) async throws(EventStoreError) -> [UInt8]

    private let api: RuntimeAPI
    private let current: CurrentInvocation
    private let now: @Sendable () -> Timestamp
    private let alarm: Alarm
    private let logger: Logger

    /// So long before its deadline the work on an invocation is cancelled, so that what is done of a batch can still be
    /// told: a call that waits for an answer notices within about a second.
    private static let reserveMilliseconds: Int64 = 2000

    /// - Parameter current: is told which invocation is in hand.
    package init(
        _ api: RuntimeAPI, current: CurrentInvocation, now: @escaping @Sendable () -> Timestamp, alarm: Alarm = .real,
        logger: Logger
    ) {
        (self.api, self.current, self.now, self.alarm, self.logger) = (api, current, now, alarm, logger)
    }

    /// Runs until the task is cancelled: then it ends immediately while it waits, and after the answer otherwise.
    ///
    /// - Throws: when Lambda's side does not answer; the process is to end.
    package func run(_ function: @escaping Function) async throws(RuntimeFailure) {
        while true {
            let invocation: Invocation
            do throws(RuntimeFailure) {
                invocation = try await api.next()
            } catch {
                if Task.isCancelled { return }
                throw error
            }
            current.begin(invocation)
            // A task of its own: that the process is to end is no reason to drop what is in hand.
            let work = Task { await answer(invocation, function) }
            if case .failure(let failure) = await work.value { throw failure }
            current.end()
            if Task.isCancelled { return }
        }
    }

    private func answer(
        _ invocation: Invocation, _ function: @escaping Function
    ) async -> Result<Void, RuntimeFailure> {
        let work = Task { await attempt(invocation, function) }
        let rest = invocation.deadline.milliseconds - now().milliseconds - Self.reserveMilliseconds
        let turnOff = alarm.set(max(rest, 0)) { work.cancel() }
        let outcome = await work.value
        turnOff()
        do throws(RuntimeFailure) {
            switch outcome {
            case .success(let bytes): try await api.answer(invocation, bytes)
            case .failure(let error):
                logger.error("the invocation failed", metadata: ["error": "\(error)"])
                try await api.fail(invocation, type: error.type, message: error.message)
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// What Lambda is told of a failure.
    private struct Failure: Error, CustomStringConvertible {
        let type: String
        let message: String

        var description: String { "\(type): \(message)" }
    }

    private func attempt(_ invocation: Invocation, _ function: Function) async -> Result<[UInt8], Failure> {
        let event: LambdaEvent
        do throws(JSONError) {
            event = try LambdaEvent(invocation.event)
        } catch {
            return .failure(Failure(type: "Event.Unreadable", message: "the event is none of this program's: \(error)"))
        }
        do throws(EventStoreError) {
            let answer = try await function(event, invocation)
            guard answer.count <= RuntimeAPI.maximumAnswerBytes else {
                return .failure(
                    Failure(type: "Answer.TooLarge", message: "the answer has \(answer.count) bytes, more than 6 MiB"))
            }
            return .success(answer)
        } catch {
            return .failure(Failure(type: "Ledger.\(error.code.name)", message: error.message))
        }
    }
}

extension EventStoreError.Code {
    /// The code as Lambda's metrics and consoles show it.
    fileprivate var name: String {
        switch self {
        case .unavailable: "Unavailable"
        case .corrupt: "Corrupt"
        case .conflict: "Conflict"
        case .tooLarge: "TooLarge"
        case .invalid: "Invalid"
        }
    }
}

/// The invocation in hand, for the log: there is one at a time.
package final class CurrentInvocation: Sendable {
    private let metadata = Mutex<Logger.Metadata>([:])

    package init() {}

    /// Names the invocation in every line that is logged meanwhile.
    package var provider: Logger.MetadataProvider {
        Logger.MetadataProvider { [self] in metadata.withLock { $0 } }
    }

    func begin(_ invocation: Invocation) {
        var fields: Logger.Metadata = ["requestId": "\(invocation.id)"]
        if let trace = invocation.trace { fields["trace"] = "\(trace)" }
        metadata.withLock { $0 = fields }
    }

    func end() { metadata.withLock { $0 = [:] } }
}

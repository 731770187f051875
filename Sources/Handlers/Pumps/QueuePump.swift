import Appointments
package import EventStore
package import Logging

/// Brings the messages of one queue to their handler, and says of each whether it was handled.
package struct QueuePump: Sendable {
    private let name: QueueName
    let queue: any MessageQueue
    private let performer: Performer
    let alarm: Alarm
    let logger: Logger

    /// - Parameter alarm: wakes the pump to keep messages hidden that are worked on for long, and measures how long.
    package init(
        _ name: QueueName, queue: any MessageQueue, performer: Performer, alarm: Alarm = .real, logger: Logger
    ) {
        (self.name, self.queue, self.performer, self.alarm) = (name, queue, performer, alarm)
        var logger = logger
        logger[metadataKey: "queue"] = "\(name.rawValue)"
        self.logger = logger
    }

    /// A message that was not handled, and why.
    package struct Failure: Sendable {
        package let message: ReceivedMessage
        package let reason: String
    }

    /// The handler of a message of a queue.
    package static func procedure(_ body: [UInt8], of queue: QueueName) -> any Procedure {
        switch queue {
        case .country(let country): CountryProcessor(country, body: body)
        case .completion: CompletionProjector(body: body)
        case .error: ErrorHandler(body: body)
        }
    }

    /// Handles a batch, its messages concurrently; one that fails does not touch its neighbours.
    ///
    /// - Returns: the messages that are to come again.
    /// - Throws: `unavailable` when none could be handled because a store did not answer.
    package func handle(_ messages: [ReceivedMessage]) async throws(EventStoreError) -> [Failure] {
        let outcomes = await outcomes(of: messages)
        var outages: [EventStoreError] = []
        var failures: [Failure] = []
        for (message, outcome) in zip(messages, outcomes) {
            switch outcome {
            case .handled: break
            case .failed(let reason): failures.append(Failure(message: message, reason: reason))
            case .unavailable(let error):
                outages.append(error)
                failures.append(Failure(message: message, reason: error.message))
            }
        }
        if let outage = outages.first, outages.count == messages.count { throw outage }
        return failures
    }

    /// Handles a batch that somebody else has received and acknowledges. What failed is given back with its reason, to
    /// come again sooner than its visibility would have it. What met an outage waits for that: its receives are to last
    /// for as long as they can.
    ///
    /// - Returns: the ids of the messages that are to come again.
    package func settleOnce(_ messages: [ReceivedMessage]) async -> [String] {
        var failed: [String] = []
        for (message, outcome) in zip(messages, await outcomes(of: messages)) {
            let reason: String
            switch outcome {
            case .handled: continue
            case .failed(let why): reason = why
            case .unavailable(let error):
                logger.warning("a message waits for a store", metadata: ["error": "\(error)"])
                failed.append(message.id)
                continue
            }
            failed.append(message.id)
            do throws(EventStoreError) {
                try await giveBack(message, because: reason)
            } catch {
                // It comes again when its visibility runs out.
                logger.warning("a message could not be given back", metadata: ["error": "\(error)"])
            }
        }
        return failed
    }

    enum Outcome: Sendable {
        case handled
        case failed(String)
        case unavailable(EventStoreError)
    }

    private func outcomes(of messages: [ReceivedMessage]) async -> [Outcome] {
        await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask { (index, await handle(message)) }
            }
            var outcomes: [Outcome] = Array(repeating: .handled, count: messages.count)
            for await (index, outcome) in group { outcomes[index] = outcome }
            return outcomes
        }
    }

    func handle(_ message: ReceivedMessage) async -> Outcome {
        do throws(EventStoreError) {
            switch try await performer.run(Self.procedure(message.body, of: name)) {
            case .done, .accepted: return .handled
            case .refused(let rejection): return .failed("refused: \(rejection)")
            case .failed(let reason): return .failed(reason)
            }
        } catch {
            return error.code == .unavailable ? .unavailable(error) : .failed(error.message)
        }
    }
}

extension QueuePump {
    /// Gives back what was not handled, to come again soon.
    func giveBack(_ message: ReceivedMessage, because reason: String) async throws(EventStoreError) {
        // One second, then four: most of what fails at first is only early.
        let delay = Int64(1000) << (2 * Int64(min(max(message.receiveCount, 1), 3) - 1))
        try await queue.retry(message.receipt, afterMilliseconds: delay, reason: reason)
        logger.warning(
            "a message was not handled",
            metadata: [
                "messageId": "\(message.id)", "receive": "\(message.receiveCount)", "reason": "\(reason)",
            ])
    }
}

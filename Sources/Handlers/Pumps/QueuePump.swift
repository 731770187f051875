import Appointments
package import EventStore
package import Logging

/// Brings the messages of one queue to their handler, and says of each whether it was handled.
package struct QueuePump: Sendable {
    private let name: QueueName
    private let queue: any MessageQueue
    private let performer: Performer
    private let logger: Logger

    package init(_ name: QueueName, queue: any MessageQueue, performer: Performer, logger: Logger) {
        (self.name, self.queue, self.performer) = (name, queue, performer)
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
        case .peru: CountryProcessor(.peru, body: body)
        case .chile: CountryProcessor(.chile, body: body)
        case .completion: CompletionProjector(body: body)
        case .error: ErrorHandler(body: body)
        }
    }

    /// Handles a batch, its messages beside each other; one that fails does not touch its neighbours.
    ///
    /// - Returns: the messages that are to come again.
    /// - Throws: `unavailable` when none could be handled because a store did not answer.
    package func handle(_ messages: [ReceivedMessage]) async throws(EventStoreError) -> [Failure] {
        let outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask { (index, await handle(message)) }
            }
            var outcomes: [Outcome] = Array(repeating: .handled, count: messages.count)
            for await (index, outcome) in group { outcomes[index] = outcome }
            return outcomes
        }
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

    private enum Outcome: Sendable {
        case handled
        case failed(String)
        case unavailable(EventStoreError)
    }

    private func handle(_ message: ReceivedMessage) async -> Outcome {
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

// MARK: - Polling

extension QueuePump {
    /// Receives and handles until it is told to stop; then it finishes the batch in hand.
    ///
    /// While a store does not answer, the batch in hand is tried again and nothing more is received, so that an outage
    /// does not use up the receives of messages that have done nothing wrong.
    /// - Parameter batch: how many messages are received at once.
    /// - Parameter callers: those of the API in the same process, who come first.
    package func run(
        until stop: Stop, batch: Int, waitMilliseconds: Int64, yieldingTo callers: Callers? = nil
    ) async {
        var backoff = Backoff()
        while !stop.isRequested {
            await callers?.giveWay(stop)
            do throws(EventStoreError) {
                let messages = try await queue.receive(
                    limit: batch, waitMilliseconds: waitMilliseconds,
                    visibilityMilliseconds: QueueSettings.visibilityMilliseconds)
                if messages.isEmpty { continue }
                try await settle(messages, until: stop)
                backoff.reset()
            } catch {
                logger.warning("the queue did not answer", metadata: ["error": "\(error)"])
                await backoff.wait(stop)
            }
        }
    }

    private func settle(_ messages: [ReceivedMessage], until stop: Stop) async throws(EventStoreError) {
        var backoff = Backoff()
        let patience = performer.now().adding(milliseconds: QueueSettings.visibilityMilliseconds / 2)
        while true {
            do throws(EventStoreError) {
                return try await acknowledge(messages, failures: try await handle(messages))
            } catch {
                logger.warning("a batch waits for a store", metadata: ["error": "\(error)"])
                // The messages become visible again by themselves when this gives up.
                if stop.isRequested || performer.now() > patience { throw error }
                await backoff.wait(stop)
            }
        }
    }

    private func acknowledge(_ messages: [ReceivedMessage], failures: [Failure]) async throws(EventStoreError) {
        let failed = Set(failures.map(\.message.receipt))
        try await queue.delete(messages.map(\.receipt).filter { !failed.contains($0) })
        for failure in failures {
            logger.warning(
                "a message was not handled",
                metadata: [
                    "messageId": "\(failure.message.id)", "receive": "\(failure.message.receiveCount)",
                    "reason": "\(failure.reason)",
                ])
            // One second, then four: most of what fails at first is only early.
            let delay = Int64(1000) << (2 * Int64(min(failure.message.receiveCount, 3) - 1))
            try await queue.retry(failure.message.receipt, afterMilliseconds: delay, reason: failure.reason)
        }
    }
}

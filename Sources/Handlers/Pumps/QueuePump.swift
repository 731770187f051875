import Appointments
package import EventStore
package import Logging

/// Brings the messages of one queue to their handler, and says of each whether it was handled.
package struct QueuePump: Sendable {
    private let name: QueueName
    private let queue: any MessageQueue
    private let performer: Performer
    private let alarm: Alarm
    private let logger: Logger

    /// - Parameter alarm: wakes the pump to keep messages hidden that are worked on for long.
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

    private enum Outcome: Sendable {
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
                if messages.isEmpty {
                    // A queue that does not wait must not keep others from running.
                    await Task.yield()
                    continue
                }
                try await settle(messages, until: stop)
                backoff.reset()
            } catch {
                logger.warning("the queue did not answer", metadata: ["error": "\(error)"])
                await backoff.wait(stop)
            }
        }
    }

    /// A message that was dealt with and waits to be acknowledged, and why it is to come again; nil when it is not.
    private struct Answer {
        let message: ReceivedMessage
        let reason: String?
    }

    /// Handles a batch until all of it is acknowledged. Only what met an outage is tried again: its neighbours are
    /// acknowledged meanwhile, and it is not charged a receive for what somebody else's store did.
    private func settle(_ messages: [ReceivedMessage], until stop: Stop) async throws(EventStoreError) {
        var backoff = Backoff()
        let patience = performer.now().adding(milliseconds: QueueSettings.visibilityMilliseconds / 2)
        var waiting = messages
        var answers: [Answer] = []
        while true {
            var outage: EventStoreError?
            let batch = waiting
            waiting = []
            for (message, outcome) in zip(batch, await outcomesWhileHidden(batch)) {
                switch outcome {
                case .handled: answers.append(Answer(message: message, reason: nil))
                case .failed(let reason): answers.append(Answer(message: message, reason: reason))
                case .unavailable(let error):
                    waiting.append(message)
                    outage = error
                }
            }
            do throws(EventStoreError) {
                try await acknowledge(&answers)
            } catch {
                outage = error
            }
            guard let outage else { return }
            logger.warning("a batch waits for a store", metadata: ["error": "\(outage)"])
            // The messages become visible again by themselves when this gives up.
            if stop.isRequested || performer.now() > patience { throw outage }
            await backoff.wait(stop)
        }
    }

    /// How long it waits after a failure before it tries again to keep messages hidden.
    private static let hideAgainMilliseconds: Int64 = 5000

    /// Handles a batch and keeps it hidden for as long as that takes, so that nobody else begins with it meanwhile.
    private func outcomesWhileHidden(_ messages: [ReceivedMessage]) async -> [Outcome] {
        let receipts = messages.map(\.receipt)
        let bell = Doorbell(alarm: alarm)
        return await withTaskGroup(of: [Outcome]?.self) { group in
            group.addTask { await outcomes(of: messages) }
            group.addTask {
                var pause = QueueSettings.visibilityMilliseconds / 2
                while true {
                    await bell.wait(since: 0, atMostMilliseconds: pause)
                    if Task.isCancelled { return nil }
                    pause = QueueSettings.visibilityMilliseconds / 2
                    do throws(EventStoreError) {
                        try await queue.hide(receipts, forMilliseconds: QueueSettings.visibilityMilliseconds)
                    } catch {
                        // Soon again, while they are hidden still. Once their visibility has run out they come again,
                        // and who handles them then finds it done.
                        pause = Self.hideAgainMilliseconds
                        logger.warning("a batch could not be kept hidden", metadata: ["error": "\(error)"])
                    }
                }
            }
            defer { group.cancelAll() }
            while let outcomes = await group.next() { if let outcomes { return outcomes } }
            return []
        }
    }

    /// Tells the queue of the answers; those that it was told are taken away.
    private func acknowledge(_ answers: inout [Answer]) async throws(EventStoreError) {
        let handled = answers.filter { $0.reason == nil }.map(\.message.receipt)
        if !handled.isEmpty { try await queue.delete(handled) }
        answers.removeAll { $0.reason == nil }
        while let answer = answers.last, let reason = answer.reason {
            try await giveBack(answer.message, because: reason)
            answers.removeLast()
        }
    }

    private func giveBack(_ message: ReceivedMessage, because reason: String) async throws(EventStoreError) {
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

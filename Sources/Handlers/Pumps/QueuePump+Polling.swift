import EventStore
import Logging

extension QueuePump {
    /// The most messages that are in hand together.
    package static let mostInHand = 64
    /// How long a message that meets an outage is kept in hand and tried again. It comes again by itself after that,
    /// which is charged to it.
    static let patienceMilliseconds: Int64 = 10 * QueueSettings.visibilityMilliseconds
    /// How long a message stays in hand before it is hidden anew; half of it, that none becomes visible in between.
    private static let hiddenMilliseconds = QueueSettings.visibilityMilliseconds / 2
    /// How often the pump looks for messages that are to be hidden anew. After a failure it looks sooner, while they
    /// still are hidden.
    private static let (lookMilliseconds, lookAgainMilliseconds): (Int64, Int64) = (hiddenMilliseconds / 2, 5000)

    /// Receives and handles until it is told to stop; then it finishes what is in hand.
    ///
    /// A message that takes long makes no other wait: more is received meanwhile, and each is acknowledged once it is
    /// handled. While a store does not answer, what is in hand is tried again and little more is received, so that an
    /// outage does not use up the receives of messages that have done nothing wrong.
    ///
    /// - Parameters:
    ///   - batch: how many messages are received together.
    ///   - most: how many are in hand together.
    ///   - callers: those of the API in the same process, who come first.
    package func run(
        until stop: Stop, batch: Int, most: Int = QueuePump.mostInHand, waitMilliseconds: Int64,
        yieldingTo callers: Callers? = nil
    ) async {
        let hand = Hand(most: most, alarm: alarm)
        let ended = Doorbell(alarm: alarm)
        await withDiscardingTaskGroup { keepers in
            keepers.addTask { await keepHidden(hand, until: ended) }
            keepers.addTask { await acknowledge(hand, stop) }
            await withDiscardingTaskGroup { group in
                await receive(into: hand, until: stop, batch: batch, waitMilliseconds, callers) { message in
                    group.addTask { await settle(message, hand, stop) }
                }
            }
            hand.close()
            ended.ring()
        }
    }

    /// Receives whenever there is room.
    private func receive(
        into hand: Hand, until stop: Stop, batch: Int, _ waitMilliseconds: Int64, _ callers: Callers?,
        begin: (ReceivedMessage) -> Void
    ) async {
        var backoff = Backoff()
        while !stop.isRequested, !Task.isCancelled {
            await callers?.giveWay(stop)
            let rings = hand.changed.rings
            let room = hand.room
            guard room.count > 0 else {
                await hand.changed.wait(since: rings, atMostMilliseconds: 1000)
                continue
            }
            // An outage that is not over is met less and less often.
            if room.isTry { await backoff.wait(stop) }
            do throws(EventStoreError) {
                let messages = try await queue.receive(
                    limit: min(batch, room.count), waitMilliseconds: waitMilliseconds,
                    visibilityMilliseconds: QueueSettings.visibilityMilliseconds)
                hand.take(messages, isTry: room.isTry, at: alarm.uptime())
                for message in messages { begin(message) }
                if !room.isTry { backoff.reset() }
                // A queue that does not wait must not keep others from running.
                if messages.isEmpty { await Task.yield() }
            } catch {
                logger.warning("the queue did not answer", metadata: ["error": "\(error)"])
                await backoff.wait(stop)
            }
        }
    }

    /// Handles a message until it is answered. When it meets an outage it is tried again, and is not charged a receive
    /// for what somebody else's store did.
    private func settle(_ message: ReceivedMessage, _ hand: Hand, _ stop: Stop) async {
        let patience = alarm.uptime() + Self.patienceMilliseconds
        var backoff = Backoff()
        var failure: String?
        while true {
            var outage: EventStoreError?
            if let failure {
                outage = await giveBack(message, failure)
            } else {
                switch await handle(message) {
                case .handled: return hand.handled(message)
                case .failed(let reason):
                    failure = reason
                    outage = await giveBack(message, reason)
                case .unavailable(let error): outage = error
                }
            }
            guard let outage else {
                hand.passed(message)
                return hand.drop([message.receipt])
            }
            // One line tells of an outage; what else it meets is for who looks closely.
            logger.log(
                level: hand.struck(message) ? .warning : .debug, "a message waits for a store",
                metadata: ["messageId": "\(message.id)", "error": "\(outage)"])
            // It becomes visible again by itself when this gives up.
            if stop.isRequested || Task.isCancelled || alarm.uptime() > patience { return hand.drop([message.receipt]) }
            await backoff.wait(stop)
        }
    }

    /// - Returns: what kept it from being given back.
    private func giveBack(_ message: ReceivedMessage, _ reason: String) async -> EventStoreError? {
        do throws(EventStoreError) {
            try await giveBack(message, because: reason)
            return nil
        } catch {
            return error
        }
    }

    /// Acknowledges what is handled: all that has come together while the queue was told of those before.
    private func acknowledge(_ hand: Hand, _ stop: Stop) async {
        var backoff = Backoff()
        while true {
            let rings = hand.changed.rings
            guard let handled = hand.takeHandled() else { return }
            if handled.isEmpty {
                // What is handled from here on comes again, and is found to be done.
                if Task.isCancelled { return }
                await hand.changed.wait(since: rings, atMostMilliseconds: 60_000)
                continue
            }
            while true {
                do throws(EventStoreError) {
                    try await queue.delete(handled)
                    backoff.reset()
                    break
                } catch {
                    logger.warning("handled messages are not acknowledged", metadata: ["error": "\(error)"])
                    // They come again, and are found to be done.
                    if stop.isRequested || Task.isCancelled { break }
                    await backoff.wait(stop)
                }
            }
            hand.drop(handled)
        }
    }

    /// Keeps what is in hand hidden for as long as it is, so that nobody else begins with it meanwhile.
    private func keepHidden(_ hand: Hand, until ended: Doorbell) async {
        var pause = Self.lookMilliseconds
        while true {
            await ended.wait(since: 0, atMostMilliseconds: pause)
            if hand.isClosed || Task.isCancelled { return }
            pause = Self.lookMilliseconds
            let now = alarm.uptime()
            let due = hand.hidden(forMilliseconds: Self.hiddenMilliseconds - Self.lookMilliseconds, at: now)
            if due.isEmpty { continue }
            do throws(EventStoreError) {
                try await queue.hide(due, forMilliseconds: QueueSettings.visibilityMilliseconds)
                hand.hid(due, at: now)
            } catch {
                // Once their visibility has run out they come again, and who handles them then finds it done.
                pause = Self.lookAgainMilliseconds
                logger.warning("messages could not be kept hidden", metadata: ["error": "\(error)"])
            }
        }
    }
}

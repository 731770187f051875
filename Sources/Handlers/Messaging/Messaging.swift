package import EventStore

/// A message on its way into a queue or topic. Its body is text, without personal data.
package struct OutgoingMessage: Equatable, Sendable {
    package let body: [UInt8]
    package let attributes: [String: String]

    package init(body: [UInt8], attributes: [String: String] = [:]) {
        (self.body, self.attributes) = (body, attributes)
    }
}

/// A message that was received and is hidden from others until its visibility runs out.
package struct ReceivedMessage: Sendable {
    package let id: String
    package let body: [UInt8]
    /// How often it was received, this time included. The count is durable before the message is handed out.
    package let receiveCount: Int
    /// What names this receipt of the message to `delete` and `retry`.
    package let receipt: String

    package init(id: String, body: [UInt8], receiveCount: Int, receipt: String) {
        (self.id, self.body, self.receiveCount, self.receipt) = (id, body, receiveCount, receipt)
    }
}

/// How full a queue is.
package struct QueueDepth: Equatable, Sendable {
    package let waiting: Int
    package let inFlight: Int
    package let dead: Int
    /// How long ago the oldest message was sent that nobody has in hand; nil when there is none, or the queue does not
    /// tell it.
    package let oldestMilliseconds: Int64?
    /// The same of those that somebody has in hand.
    package let longestOutMilliseconds: Int64?
    /// Whether the queue tells ages at all: SQS does not.
    package let tellsAges: Bool

    package init(
        waiting: Int, inFlight: Int, dead: Int, oldestMilliseconds: Int64? = nil, longestOutMilliseconds: Int64? = nil,
        tellsAges: Bool = true
    ) {
        self.tellsAges = tellsAges
        (self.waiting, self.inFlight, self.dead) = (waiting, inFlight, dead)
        (self.oldestMilliseconds, self.longestOutMilliseconds) = (oldestMilliseconds, longestOutMilliseconds)
    }
}

/// A queue with the semantics of SQS: at least once, no order, a visibility time-out, a receive count, and a
/// dead-letter queue for what was received `QueueSettings.maximumReceives` times without being deleted.
package protocol MessageQueue: Sendable {
    /// Puts messages into the queue; each is durable once this returns.
    func send(_ messages: [OutgoingMessage]) async throws(EventStoreError)

    /// Receives at most `limit` messages and hides them for `visibilityMilliseconds`, at most that of `QueueSettings`.
    /// The clock that it goes by may step: then a message comes again early, and never late.
    ///
    /// Waits up to `waitMilliseconds` for a first message. What has used up its receives goes to the dead letters.
    func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage]

    /// Deletes received messages. A receipt that ran out, or was used before, is passed over.
    func delete(_ receipts: [String]) async throws(EventStoreError)

    /// Hides received messages for so long from now on, while somebody still works on them. A receipt that ran out, or
    /// was used before, is passed over.
    func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError)

    /// Makes a received message visible again after a time, with the reason why it was not handled.
    func retry(_ receipt: String, afterMilliseconds: Int64, reason: String) async throws(EventStoreError)

    func depth() async throws(EventStoreError) -> QueueDepth
}

/// A message that was given up after its receives were used up.
package struct DeadLetter: Equatable, Sendable {
    package let id: String
    package let queue: QueueName
    package let body: [UInt8]
    package let receiveCount: Int
    /// Why it was not handled the last time, as far as the handler could say it.
    package let reason: String?
    package let deadAt: Timestamp

    package init(id: String, queue: QueueName, body: [UInt8], receiveCount: Int, reason: String?, deadAt: Timestamp) {
        (self.id, self.queue, self.body) = (id, queue, body)
        (self.receiveCount, self.reason, self.deadAt) = (receiveCount, reason, deadAt)
    }
}

/// The dead letters of all queues, for the operator.
package protocol DeadLetters: Sendable {
    /// Dead letters, oldest first, at most `limit`; of all queues where none is named. Where a queue has no order, it
    /// chooses which of more than `limit` come.
    func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter]

    func letter(_ id: String) async throws(EventStoreError) -> DeadLetter?

    /// Puts dead letters back into their queues with a receive count of zero; returns how many it moved.
    func redrive(_ ids: [String]) async throws(EventStoreError) -> Int

    /// Puts at most `limit` dead letters back that died until some moment, of all queues where none is named; returns
    /// how many it moved, and 0 only when there are none.
    func redrive(of queue: QueueName?, limit: Int, deadUntil: Timestamp) async throws(EventStoreError) -> Int

    /// Takes a dead letter away for good; false when it was gone.
    func remove(_ id: String) async throws(EventStoreError) -> Bool
}

extension DeadLetters {
    package func redrive(
        of queue: QueueName?, limit: Int, deadUntil: Timestamp
    ) async throws(EventStoreError) -> Int {
        var last: [String] = []
        while true {
            let chosen = try await list(queue, limit: limit).filter { $0.deadAt <= deadUntil }.map(\.id)
            // Those that nobody can move are met again.
            if chosen.isEmpty || chosen == last { return 0 }
            let count = try await redrive(chosen)
            // Another may have moved all of them meanwhile; there may be more.
            if count > 0 { return count }
            last = chosen
        }
    }
}

/// The topics with their subscriptions.
package protocol Topics: Sendable {
    /// Publishes a message to all subscribers of a topic, wrapped as SNS wraps it.
    func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError)
}

/// The event bus with its rules.
package protocol EventBus: Sendable {
    /// Puts an event on the bus; every rule that matches sends it to its queue.
    func put(_ event: BusEvent) async throws(EventStoreError)
}

/// An event for the bus, as EventBridge has them.
package struct BusEvent: Equatable, Sendable {
    package let source: String
    package let detailType: String
    /// A JSON object.
    package let detail: [UInt8]
    package let time: Timestamp

    package init(source: String, detailType: String, detail: [UInt8], time: Timestamp) {
        (self.source, self.detailType, self.detail, self.time) = (source, detailType, detail, time)
    }
}

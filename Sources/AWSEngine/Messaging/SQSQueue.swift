package import EventStore
package import Handlers
import Synchronization

/// One queue of SQS. Order and uniqueness are not assumed; SQS counts receives and moves dead letters by itself.
///
/// A receipt is good here until its visibility runs out or it was used. SQS itself would still take an old one, and
/// delete a message that somebody else has in hand by then.
package final class SQSQueue: MessageQueue {
    private struct Holding {
        let id: String
        /// By the client's uptime.
        let until: Int64
    }

    private let queue: SQSCalls
    private let dead: SQSCalls
    private let reasons: FailureReasons
    private let uptime: @Sendable () -> Int64
    /// What was received here and is neither deleted nor given back, by its receipt.
    private let inHand = Mutex<[String: Holding]>([:])

    /// The reasons of failures are kept in a table, since a message of SQS can't be changed.
    package init(_ client: AWSClient, _ name: QueueName, names: AWSNames, now: @escaping @Sendable () -> Timestamp) {
        queue = SQSCalls(client, .named(names.queues[name] ?? name.rawValue))
        dead = SQSCalls(client, .deadLetters(of: queue))
        reasons = FailureReasons(client, names.tables, name, now: now)
        uptime = client.uptime
    }

    package func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) { try await queue.send(messages) }

    package func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        guard limit > 0 else { return [] }
        let messages = try await queue.receive(
            limit: limit, waitMilliseconds: waitMilliseconds, visibilityMilliseconds: visibilityMilliseconds
        ).map { message in
            ReceivedMessage(
                id: message.id, body: message.body, receiveCount: message.receiveCount, receipt: message.receipt)
        }
        hold(messages, visibilityMilliseconds: visibilityMilliseconds)
        return messages
    }

    /// Takes messages in hand that were received a moment ago: here, or by Lambda for this process.
    package func hold(
        _ messages: [ReceivedMessage], visibilityMilliseconds: Int64 = QueueSettings.visibilityMilliseconds
    ) {
        let now = uptime()
        inHand.withLock { inHand in
            inHand = inHand.filter { $0.value.until > now }
            for message in messages {
                inHand[message.receipt] = Holding(id: message.id, until: now + visibilityMilliseconds)
            }
        }
    }

    package func delete(_ receipts: [String]) async throws(EventStoreError) {
        let good = receipts.filter { holding($0) != nil }
        try await queue.delete(good)
        inHand.withLock { inHand in
            for receipt in good { inHand[receipt] = nil }
        }
    }

    package func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        let good = receipts.filter { holding($0) != nil }
        try await queue.hide(good, forMilliseconds: forMilliseconds)
        let until = uptime() + forMilliseconds
        inHand.withLock { inHand in
            for receipt in good { inHand[receipt] = inHand[receipt].map { Holding(id: $0.id, until: until) } }
        }
    }

    package func retry(
        _ receipt: String, afterMilliseconds: Int64, reason: String
    ) async throws(EventStoreError) {
        guard let holding = holding(receipt) else { return }
        // The reason first: the message may become a dead letter immediately.
        try await reasons.keep(reason, of: holding.id)
        try await queue.changeVisibility(receipt, toMilliseconds: afterMilliseconds)
        inHand.withLock { $0[receipt] = nil }
    }

    private func holding(_ receipt: String) -> Holding? {
        let now = uptime()
        return inHand.withLock { $0[receipt].flatMap { $0.until > now ? $0 : nil } }
    }

    package func depth() async throws(EventStoreError) -> QueueDepth {
        let own = try await queue.counts()
        let dead = try await dead.counts()
        // CloudWatch knows the age of the oldest message (`ApproximateAgeOfOldestMessage`); the queue itself does not.
        return QueueDepth(
            waiting: own.waiting, inFlight: own.inFlight, dead: dead.waiting + dead.inFlight, tellsAges: false)
    }
}

/// Why messages were not handled, by their ids; kept a day longer than the messages themselves.
struct FailureReasons: Sendable {
    private let table: DynamoDBTable
    private let queue: QueueName
    private let now: @Sendable () -> Timestamp

    init(_ client: AWSClient, _ tables: DynamoDBTables, _ queue: QueueName, now: @escaping @Sendable () -> Timestamp) {
        table = DynamoDBTable(client: client, name: tables.projections)
        (self.queue, self.now) = (queue, now)
    }

    private func key(_ id: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "failures/\(queue.rawValue)")
        writer.attribute("itemId", text: id)
    }

    func keep(_ reason: String, of id: String) async throws(EventStoreError) {
        let kept = (QueueSettings.retentionMilliseconds + 86_400_000) / 1000
        do throws(AWSError) {
            _ = try await table.call("PutItem") { writer in
                writer.member("Item") { writer in
                    writer.object {
                        key(id, &$0)
                        $0.attribute("reason", text: reason)
                        // DynamoDB's time to live counts seconds.
                        $0.attribute("expiresAt", number: now().milliseconds / 1000 + kept)
                    }
                }
            }
        } catch {
            throw error.asStoreError
        }
    }

    func reason(of id: String) async throws(EventStoreError) -> String? {
        try await table.item { key(id, &$0) }.flatMap { try? $0.text("reason") }
    }
}

package import EventStore
package import Handlers
import Synchronization
import TestAWS

@testable package import AWSEngine

/// A queue of SQS whose time is turned by hand: when the visibility of a message has run out by the hand clock, SQS is
/// asked to end it.
package final class TurnedQueue: MessageQueue {
    private let queue: SQSQueue
    private let calls: SQSCalls
    private let clock: HandClock
    private let hidden = Mutex<[String: Int64]>([:])

    package init(_ client: AWSClient, _ name: QueueName, clock: HandClock) {
        queue = SQSQueue(client, name, names: AWSNames(), now: clock.now)
        calls = SQSCalls(client, .named(name.rawValue))
        self.clock = clock
    }

    package func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) { try await queue.send(messages) }

    package func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        try await showAgain()
        let messages = try await queue.receive(
            limit: limit, waitMilliseconds: waitMilliseconds, visibilityMilliseconds: visibilityMilliseconds)
        let until = clock.uptime() + visibilityMilliseconds
        hidden.withLock { hidden in
            for message in messages { hidden[message.receipt] = until }
        }
        return messages
    }

    package func delete(_ receipts: [String]) async throws(EventStoreError) { try await queue.delete(receipts) }

    package func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        try await queue.hide(receipts, forMilliseconds: forMilliseconds)
        let until = clock.uptime() + forMilliseconds
        hidden.withLock { hidden in
            for receipt in receipts where hidden[receipt] ?? 0 > clock.uptime() { hidden[receipt] = until }
        }
    }

    package func retry(_ receipt: String, afterMilliseconds: Int64, reason: String) async throws(EventStoreError) {
        try await queue.retry(receipt, afterMilliseconds: afterMilliseconds, reason: reason)
        let until = clock.uptime() + afterMilliseconds
        hidden.withLock { hidden in
            if let now = hidden[receipt], now > clock.uptime() { hidden[receipt] = until }
        }
    }

    package func depth() async throws(EventStoreError) -> QueueDepth {
        try await showAgain()
        return try await queue.depth()
    }

    private func showAgain() async throws(EventStoreError) {
        let now = clock.uptime()
        let over = hidden.withLock { hidden in
            let over = hidden.filter { $0.value <= now }.keys
            for receipt in over { hidden[receipt] = nil }
            return over
        }
        for receipt in over { try await calls.changeVisibility(receipt, toMilliseconds: 0) }
    }
}

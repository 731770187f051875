package import EventStore
package import Handlers

/// One queue of `MemoryMessaging`. An empty queue answers a receive immediately, however long it might wait.
package struct MemoryQueue: MessageQueue {
    let name: QueueName
    let messaging: MemoryMessaging

    package func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) {
        messaging.sendNow(messages, to: name)
    }

    package func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        messaging.receiveNow(from: name, limit: limit, visibilityMilliseconds: visibilityMilliseconds)
    }

    package func delete(_ receipts: [String]) async throws(EventStoreError) {
        messaging.deleteNow(receipts, from: name)
    }

    package func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        messaging.hideNow(receipts, in: name, forMilliseconds: forMilliseconds)
    }

    package func retry(
        _ receipt: String, afterMilliseconds: Int64, reason: String
    ) async throws(EventStoreError) {
        messaging.retryNow(receipt, in: name, afterMilliseconds: afterMilliseconds, reason: reason)
    }

    package func depth() async throws(EventStoreError) -> QueueDepth { messaging.depthNow(of: name) }
}

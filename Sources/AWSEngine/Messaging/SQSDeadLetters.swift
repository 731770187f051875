package import EventStore
package import Handlers

/// The dead-letter queues of SQS, as operators look at them.
///
/// A queue can't be looked into: its messages are received, shown, and made visible again at once. Two operators who
/// look in the same moment may each see a part.
package struct SQSDeadLetters: DeadLetters {
    private let queues: [(name: QueueName, source: SQSCalls, dead: SQSCalls, reasons: FailureReasons)]
    /// How long a message is hidden from others while it is looked at.
    private static let lookMilliseconds: Int64 = 30_000

    package init(
        _ client: AWSClient, names: AWSNames, now: @escaping @Sendable () -> Timestamp
    ) {
        queues = QueueName.allCases.map { name in
            let queue = SQSCalls(client, .named(names.queues[name] ?? name.rawValue))
            return (
                name, queue, SQSCalls(client, .deadLetters(of: queue)),
                FailureReasons(client, names.tables, name, now: now)
            )
        }
    }

    package func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter] {
        guard limit > 0 else { return [] }
        var letters: [DeadLetter] = []
        for place in queues where queue == nil || queue == place.name {
            let messages = try await look(into: place.dead)
            for message in messages {
                letters.append(
                    DeadLetter(
                        id: message.id, queue: place.name, body: message.body,
                        receiveCount: QueueSettings.maximumReceives,
                        reason: try await place.reasons.reason(of: message.id), deadAt: message.sentAt))
            }
            try await giveBack(messages, to: place.dead)
        }
        // SQS keeps the moment of sending and none of dying.
        return Array(letters.sorted { ($0.deadAt, $0.id) < ($1.deadAt, $1.id) }.prefix(limit))
    }

    package func letter(_ id: String) async throws(EventStoreError) -> DeadLetter? {
        try await list(nil, limit: .max).first { $0.id == id }
    }

    package func redrive(_ ids: [String]) async throws(EventStoreError) -> Int {
        try await take(Set(ids)) { message, source throws(EventStoreError) in
            // Sent before it is deleted: between the two it is there twice, and never not at all.
            try await source.send([OutgoingMessage(body: message.body)])
        }
    }

    package func remove(_ id: String) async throws(EventStoreError) -> Bool {
        try await take([id]) { _, _ throws(EventStoreError) in } == 1
    }

    /// Takes messages out of their dead-letter queues.
    ///
    /// - Parameter body: called with each message before it is deleted.
    /// - Returns: how many there were.
    private func take(
        _ ids: Set<String>, _ body: (SQSCalls.Message, SQSCalls) async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) -> Int {
        var count = 0
        guard !ids.isEmpty else { return 0 }
        for place in queues {
            let messages = try await look(into: place.dead)
            let chosen = messages.filter { ids.contains($0.id) }
            for message in chosen {
                try await body(message, place.source)
                try await place.dead.delete([message.receipt])
                count += 1
            }
            try await giveBack(messages.filter { !ids.contains($0.id) }, to: place.dead)
        }
        return count
    }

    /// Receives all messages that are visible, each once.
    private func look(into queue: SQSCalls) async throws(EventStoreError) -> [SQSCalls.Message] {
        var messages: [String: SQSCalls.Message] = [:]
        while true {
            let page = try await queue.receive(
                limit: 10, waitMilliseconds: 0, visibilityMilliseconds: Self.lookMilliseconds)
            let before = messages.count
            for message in page { messages[message.id] = message }
            // A page of messages that are all known: their hiding ran out while the others were read.
            if messages.count == before { return messages.values.sorted { $0.id < $1.id } }
        }
    }

    private func giveBack(_ messages: [SQSCalls.Message], to queue: SQSCalls) async throws(EventStoreError) {
        for message in messages { try await queue.changeVisibility(message.receipt, toMilliseconds: 0) }
    }
}

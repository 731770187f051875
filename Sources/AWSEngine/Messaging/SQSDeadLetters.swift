package import EventStore
package import Handlers
import Synchronization

/// The dead-letter queues of SQS, as operators look at them.
///
/// A queue can't be looked into: its messages are received, shown, and made visible again immediately. Two operators
/// who look in the same moment may each see a part. SQS gives messages out in no order: of more letters than are asked
/// for any may come.
package struct SQSDeadLetters: DeadLetters {
    fileprivate struct Place: Sendable {
        let name: QueueName
        let source: SQSCalls
        let dead: SQSCalls
        let reasons: FailureReasons
    }

    private let places: [Place]
    private let uptime: @Sendable () -> Int64

    package init(
        _ client: AWSClient, names: AWSNames, now: @escaping @Sendable () -> Timestamp
    ) {
        uptime = client.uptime
        places = QueueName.allCases.map { name in
            let queue = SQSCalls(client, .named(names.queues[name] ?? name.rawValue))
            return Place(
                name: name, source: queue, dead: SQSCalls(client, .deadLetters(of: queue)),
                reasons: FailureReasons(client, names.tables, name, now: now))
        }
    }

    package func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter] {
        guard limit > 0 else { return [] }
        // Concurrently: the end of each queue shows only in an answer that was waited for.
        let letters = try await inOrder(places.filter { queue == nil || queue == $0.name }) {
            (place: Place) throws(EventStoreError) in
            var seen: [String: DeadLetter] = [:]
            try await look(into: place) { page throws(EventStoreError) in
                for message in page where seen[message.id] == nil && seen.count < limit {
                    seen[message.id] = try await place.letter(message)
                }
                return .giveBack(isEnough: seen.count >= limit)
            }
            return Array(seen.values)
        }.flatMap(\.self)
        // SQS keeps the moment of sending and none of dying.
        return Array(letters.sorted { ($0.deadAt, $0.id) < ($1.deadAt, $1.id) }.prefix(limit))
    }

    package func letter(_ id: String) async throws(EventStoreError) -> DeadLetter? {
        try await inOrder(places) { (place: Place) throws(EventStoreError) in
            var found: DeadLetter?
            try await look(into: place) { page throws(EventStoreError) in
                if let message = page.first(where: { $0.id == id }) { found = try await place.letter(message) }
                return .giveBack(isEnough: found != nil)
            }
            return found
        }.compactMap(\.self).first
    }

    package func redrive(_ ids: [String]) async throws(EventStoreError) -> Int {
        try await take(Set(ids), sendingBack: true)
    }

    package func redrive(
        of queue: QueueName?, limit: Int, deadUntil: Timestamp
    ) async throws(EventStoreError) -> Int {
        var count = 0
        for place in places where (queue == nil || queue == place.name) && count < limit {
            try await look(into: place) { page throws(EventStoreError) in
                let chosen = Array(page.filter { $0.sentAt <= deadUntil }.prefix(limit - count))
                try await place.takeOut(chosen, sendingBack: true)
                count += chosen.count
                return .taken(Set(chosen.map(\.id)), isEnough: count >= limit)
            }
        }
        return count
    }

    package func remove(_ id: String) async throws(EventStoreError) -> Bool {
        try await take([id], sendingBack: false) == 1
    }

    /// Takes letters out of their queues, and sends them back to where they came from or not.
    ///
    /// - Returns: how many there were.
    private func take(_ ids: Set<String>, sendingBack: Bool) async throws(EventStoreError) -> Int {
        let left = Letters(ids)
        if ids.isEmpty { return 0 }
        return try await inOrder(places) { (place: Place) throws(EventStoreError) in
            var count = 0
            try await look(into: place) { page throws(EventStoreError) in
                let chosen = page.filter { left.contains($0.id) }
                try await place.takeOut(chosen, sendingBack: sendingBack)
                count += chosen.count
                let ids = Set(chosen.map(\.id))
                return .taken(ids, isEnough: left.subtract(ids))
            }
            return count
        }.reduce(0, +)
    }

    /// Goes through the letters of a queue page by page. Those that were seen stay hidden from others until the end.
    ///
    /// - Parameter body: says of a page what was done with it.
    private func look(
        into place: Place, _ body: ([SQSCalls.Message]) async throws(EventStoreError) -> LettersInHand.Done
    ) async throws(EventStoreError) {
        var hand = LettersInHand(place.dead, uptime: uptime)
        do throws(EventStoreError) {
            while let page = try await hand.receive() {
                let done = try await body(page)
                hand.drop(done.taken)
                if done.isEnough { break }
            }
        } catch {
            // What brought this about is told; they come back by themselves as well.
            try? await hand.giveBack()
            throw error
        }
        try await hand.giveBack()
    }
}

extension SQSDeadLetters.Place {
    fileprivate func letter(_ message: SQSCalls.Message) async throws(EventStoreError) -> DeadLetter {
        DeadLetter(
            id: message.id, queue: name, body: message.body, receiveCount: QueueSettings.maximumReceives,
            reason: try await reasons.reason(of: message.id), deadAt: message.sentAt)
    }

    fileprivate func takeOut(_ messages: [SQSCalls.Message], sendingBack: Bool) async throws(EventStoreError) {
        // Sent before they are deleted: between the two they are there twice, and never not at all.
        if sendingBack { try await source.send(messages.map { OutgoingMessage(body: $0.body) }) }
        try await dead.delete(messages.map(\.receipt))
    }
}

/// The letters that are still to be taken.
private final class Letters: Sendable {
    private let ids: Mutex<Set<String>>

    init(_ ids: Set<String>) { self.ids = Mutex(ids) }

    func contains(_ id: String) -> Bool { ids.withLock { $0.contains(id) } }

    /// - Returns: whether none is left.
    func subtract(_ taken: Set<String>) -> Bool {
        ids.withLock { ids in
            ids.subtract(taken)
            return ids.isEmpty
        }
    }
}

/// Messages of a dead-letter queue that were received to be looked at, and are kept hidden so that none comes twice.
struct LettersInHand {
    private let queue: SQSCalls
    private let uptime: @Sendable () -> Int64
    private var receipts: [String: String] = [:]
    /// When they were hidden last.
    private var hidden: Int64

    /// For how long they are hidden; half of it later they are hidden anew.
    static let hiddenMilliseconds: Int64 = 60_000
    /// How long a receive waits: one that does not asks some of SQS's servers only, and may find nothing in a queue
    /// that holds something.
    static let waitMilliseconds: Int64 = 1000

    /// What was done with a page.
    struct Done {
        /// The messages that are not in the queue any more.
        let taken: Set<String>
        let isEnough: Bool

        static func giveBack(isEnough: Bool) -> Done { Done(taken: [], isEnough: isEnough) }
        static func taken(_ ids: Set<String>, isEnough: Bool) -> Done { Done(taken: ids, isEnough: isEnough) }
    }

    init(_ queue: SQSCalls, uptime: @escaping @Sendable () -> Int64) {
        (self.queue, self.uptime, hidden) = (queue, uptime, uptime())
    }

    /// The next messages that were not in hand before; nil at the end of the queue.
    mutating func receive() async throws(EventStoreError) -> [SQSCalls.Message]? {
        let moment = uptime()
        if receipts.isEmpty { hidden = moment }
        if moment - hidden >= Self.hiddenMilliseconds / 2 {
            try await queue.hide(Array(receipts.values), forMilliseconds: Self.hiddenMilliseconds)
            hidden = moment
        }
        let page = try await queue.receive(
            limit: 10, waitMilliseconds: Self.waitMilliseconds, visibilityMilliseconds: Self.hiddenMilliseconds)
        let new = page.filter { receipts[$0.id] == nil }
        // One that came again has a new receipt, and the old one is good for nothing.
        for message in page { receipts[message.id] = message.receipt }
        return new.isEmpty ? nil : new
    }

    mutating func drop(_ ids: Set<String>) {
        for id in ids { receipts[id] = nil }
    }

    /// Makes visible again what is left.
    func giveBack() async throws(EventStoreError) {
        try await queue.hide(Array(receipts.values), forMilliseconds: 0)
    }
}

package import EventStore
package import Handlers
import Synchronization

/// The reference for queues, dead letters, topics and bus: all messages in memory, with the semantics of SQS, SNS and
/// EventBridge. Ids come from a counter and time from the caller, so that a run can be repeated.
package final class MemoryMessaging: Sendable {
    fileprivate struct State {
        var counter = 0
        var queues: [QueueName: [StoredMessage]] = [:]
        /// In the order in which they died.
        var dead: [DeadMessage] = []
        /// No message was sent before this, so that most calls need not look for what to drop.
        var earliest: Timestamp?
    }

    fileprivate struct StoredMessage {
        let id: String
        let body: [UInt8]
        let sentAt: Timestamp
        var visibleAt: Timestamp
        var receiveCount = 0
        /// The receipt that names this message while it is hidden; nil before a receive and after a retry.
        var receipt: String?
        var reason: String?

    }

    fileprivate struct DeadMessage {
        let letter: DeadLetter
        let sentAt: Timestamp
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Timestamp
    private let hidden: @Sendable (Timestamp) -> ClosedRange<Timestamp>

    /// - Parameters:
    ///   - now: the clock that visibility, delay and retention go by.
    ///   - hidden: until when a message is hidden that is hidden at some moment.
    package init(
        now: @escaping @Sendable () -> Timestamp,
        hidden: @escaping @Sendable (Timestamp) -> ClosedRange<Timestamp> = QueueSettings.hidden(at:)
    ) {
        (self.now, self.hidden) = (now, hidden)
    }

    /// One of the queues.
    package func queue(_ name: QueueName) -> any MessageQueue { MemoryQueue(name: name, messaging: self) }
}

// MARK: - Queues

extension MemoryMessaging {
    /// Puts messages into a queue immediately; the rules are those of `MessageQueue.send`.
    package func sendNow(_ messages: [OutgoingMessage], to queue: QueueName) {
        let now = now()
        state.withLock { state in
            for message in messages { state.enqueue(message.body, into: queue, at: now) }
        }
    }

    /// Receives immediately; the rules are those of `MessageQueue.receive`, without the wait.
    package func receiveNow(
        from queue: QueueName, limit: Int, visibilityMilliseconds: Int64
    ) -> [ReceivedMessage] {
        let now = now()
        return state.withLock { state in
            state.expire(at: now)
            let hidden = hidden(now)
            state.bury(in: queue, where: { !hidden.contains($0) }, at: now)
            var received: [ReceivedMessage] = []
            var messages = state.queues[queue, default: []]
            for place in messages.indices where received.count < limit && !hidden.contains(messages[place].visibleAt) {
                state.counter += 1
                let receipt = "\(messages[place].id)/\(state.counter)"
                messages[place].receiveCount += 1
                messages[place].visibleAt = QueueSettings.end(ofHidingFor: visibilityMilliseconds, at: now)
                messages[place].receipt = receipt
                received.append(
                    ReceivedMessage(
                        id: messages[place].id, body: messages[place].body,
                        receiveCount: messages[place].receiveCount, receipt: receipt))
            }
            state.queues[queue] = messages
            return received
        }
    }

    /// Deletes immediately; the rules are those of `MessageQueue.delete`.
    package func deleteNow(_ receipts: [String], from queue: QueueName) {
        let now = now()
        let wanted = Set(receipts)
        state.withLock { state in
            state.queues[queue]?.removeAll { message in
                message.visibleAt > now && message.receipt.map(wanted.contains) ?? false
            }
        }
    }

    /// Hides messages immediately; the rules are those of `MessageQueue.hide`.
    package func hideNow(_ receipts: [String], in queue: QueueName, forMilliseconds: Int64) {
        let now = now()
        let wanted = Set(receipts)
        state.withLock { state in
            let places = state.queues[queue, default: []].indices
            for place in places where state.queues[queue]?[place].receipt.map(wanted.contains) == true {
                guard let until = state.queues[queue]?[place].visibleAt, until > now else { continue }
                state.queues[queue]?[place].visibleAt = QueueSettings.end(ofHidingFor: max(forMilliseconds, 1), at: now)
            }
        }
    }

    /// Makes a message visible again; the rules are those of `MessageQueue.retry`.
    package func retryNow(_ receipt: String, in queue: QueueName, afterMilliseconds: Int64, reason: String) {
        let now = now()
        state.withLock { state in
            guard
                let place = state.queues[queue]?.firstIndex(where: { $0.receipt == receipt && $0.visibleAt > now })
            else { return }
            state.queues[queue]?[place].visibleAt = QueueSettings.end(ofHidingFor: afterMilliseconds, at: now)
            state.queues[queue]?[place].receipt = nil
            state.queues[queue]?[place].reason = reason
        }
    }

    /// The ids of the messages that are hidden.
    package var hiddenNow: [String] {
        let hidden = hidden(now())
        return state.withLock { state in
            QueueName.allCases.flatMap { name in
                state.queues[name, default: []].filter { hidden.contains($0.visibleAt) }.map(\.id)
            }
        }
    }

    /// Counts immediately; the rules are those of `MessageQueue.depth`.
    package func depthNow(of queue: QueueName) -> QueueDepth {
        let now = now()
        return state.withLock { state in
            state.expire(at: now)
            let messages = state.queues[queue, default: []]
            let hidden = hidden(now)
            let waiting = messages.count { !hidden.contains($0.visibleAt) }
            let inHand = messages.filter { hidden.contains($0.visibleAt) && $0.receipt != nil }
            let others = messages.filter { !hidden.contains($0.visibleAt) || $0.receipt == nil }
            func age(_ messages: [StoredMessage]) -> Int64? {
                messages.map(\.sentAt).min().map { max(now.milliseconds - $0.milliseconds, 0) }
            }
            return QueueDepth(
                waiting: waiting, inFlight: messages.count - waiting,
                dead: state.dead.count { $0.letter.queue == queue }, oldestMilliseconds: age(others),
                longestOutMilliseconds: age(inHand))
        }
    }
}

// MARK: - Dead letters

extension MemoryMessaging: DeadLetters {
    package func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter] {
        listNow(queue, limit: limit)
    }

    package func letter(_ id: String) async throws(EventStoreError) -> DeadLetter? { letterNow(id) }

    package func redrive(_ ids: [String]) async throws(EventStoreError) -> Int { redriveNow(ids) }

    package func remove(_ id: String) async throws(EventStoreError) -> Bool { removeNow(id) }

    /// Lists immediately; the rules are those of `list`.
    package func listNow(_ queue: QueueName? = nil, limit: Int = .max) -> [DeadLetter] {
        let now = now()
        return state.withLock { state in
            state.expire(at: now)
            let letters = state.dead.map(\.letter).filter { queue == nil || $0.queue == queue }
            return Array(letters.prefix(max(limit, 0)))
        }
    }

    /// Finds immediately; the rules are those of `letter`.
    package func letterNow(_ id: String) -> DeadLetter? { listNow().first { $0.id == id } }

    /// Puts back immediately; the rules are those of `redrive`.
    package func redriveNow(_ ids: [String]) -> Int {
        let now = now()
        let wanted = Set(ids)
        return state.withLock { state in
            state.expire(at: now)
            let chosen = state.dead.filter { wanted.contains($0.letter.id) }
            state.dead.removeAll { wanted.contains($0.letter.id) }
            for message in chosen {
                state.enqueue(message.letter.body, into: message.letter.queue, at: now, id: message.letter.id)
            }
            return chosen.count
        }
    }

    /// Takes away immediately; the rules are those of `remove`.
    package func removeNow(_ id: String) -> Bool {
        state.withLock { state in
            let before = state.dead.count
            state.dead.removeAll { $0.letter.id == id }
            return state.dead.count < before
        }
    }
}

// MARK: - Topics and bus

extension MemoryMessaging: Topics, EventBus {
    package func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError) {
        publishNow(message, to: topic)
    }

    package func put(_ event: BusEvent) async throws(EventStoreError) { putNow(event) }

    /// Publishes immediately; the rules are those of `publish`.
    package func publishNow(_ message: OutgoingMessage, to topic: TopicName) {
        guard let queue = topic.subscriber else { return }
        let now = now()
        state.withLock { state in
            let id = state.nextID("notification")
            state.enqueue(Envelope.notification(message, topic: topic, id: id, at: now), into: queue, at: now)
        }
    }

    /// Puts an event on the bus immediately; the rules are those of `put`.
    package func putNow(_ event: BusEvent) {
        let now = now()
        state.withLock { state in
            let id = state.nextID("event")
            for queue in EventRule.targets(of: event) {
                state.enqueue(Envelope.event(event, id: id), into: queue, at: now)
            }
        }
    }
}

// MARK: - The state

extension MemoryMessaging.State {
    fileprivate mutating func nextID(_ kind: String) -> String {
        counter += 1
        return "\(kind)-\(counter)"
    }

    fileprivate mutating func enqueue(_ body: [UInt8], into queue: QueueName, at now: Timestamp, id: String? = nil) {
        let message = MemoryMessaging.StoredMessage(
            id: id ?? nextID("message"), body: body, sentAt: now, visibleAt: now)
        queues[queue, default: []].append(message)
        earliest = min(earliest ?? now, now)
    }

    /// Drops what was kept for the whole retention, waiting or dead.
    fileprivate mutating func expire(at now: Timestamp) {
        let oldest = QueueSettings.oldest(at: now)
        guard let earliest, earliest <= oldest else { return }
        for queue in QueueName.allCases {
            queues[queue]?.removeAll { $0.sentAt <= oldest }
        }
        dead.removeAll { $0.sentAt <= oldest }
        self.earliest = (queues.values.joined().map(\.sentAt) + dead.map(\.sentAt)).min()
    }

    /// Moves visible messages that used up their receives to the dead letters.
    fileprivate mutating func bury(in queue: QueueName, where isVisible: (Timestamp) -> Bool, at now: Timestamp) {
        func isDead(_ message: MemoryMessaging.StoredMessage) -> Bool {
            isVisible(message.visibleAt) && message.receiveCount >= QueueSettings.maximumReceives
        }
        for message in queues[queue, default: []] where isDead(message) {
            let letter = DeadLetter(
                id: message.id, queue: queue, body: message.body, receiveCount: message.receiveCount,
                reason: message.reason, deadAt: now)
            dead.append(MemoryMessaging.DeadMessage(letter: letter, sentAt: message.sentAt))
        }
        queues[queue]?.removeAll(where: isDead)
    }
}

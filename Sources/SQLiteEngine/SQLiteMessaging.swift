package import EventStore
import Foundation
import GRDB
package import Handlers

/// The queues, topics and the bus in SQLite: what AWS does between services, in one file.
package final class SQLiteMessaging: Sendable {
    let file: SQLiteFile
    let now: @Sendable () -> Timestamp
    /// One bell a queue, rung when this process has put a message in.
    let bells: [QueueName: Doorbell]

    /// - Parameter now: the wall clock.
    package init(_ file: SQLiteFile, now: @escaping @Sendable () -> Timestamp) {
        (self.file, self.now) = (file, now)
        bells = Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, Doorbell(alarm: .real)) })
    }

    /// One of the queues.
    package func queue(_ name: QueueName) -> SQLiteQueue { SQLiteQueue(name: name, messaging: self) }

    /// Makes the queues ready for a server that begins: what the last one had in hand is visible again, since only one
    /// server works on a file, and what was kept for the whole retention is dropped. Receive counts stay.
    package func begin() async throws(EventStoreError) {
        let now = now()
        try await file.write { writing in
            try writing.database.run(
                "UPDATE messages SET visible = ?, receipt = NULL WHERE visible > ? AND receives > 0",
                [now.milliseconds, now.milliseconds])
            for table in ["messages", "dead_letters"] {
                try writing.database.run(
                    "DELETE FROM \(table) WHERE sent <= ?", [QueueSettings.oldest(at: now).milliseconds])
            }
        }
    }

    func send(_ bodies: [[UInt8]], to queue: QueueName, in writing: Writing) throws {
        let now = now().milliseconds
        for body in bodies {
            try writing.database.run(
                "INSERT INTO messages (queue, body, sent, visible) VALUES (?, ?, ?, ?)",
                [queue.rawValue, Data(body), now, now])
        }
        if let bell = bells[queue] { writing.ring(bell) }
    }
}

// MARK: - Topics and bus

extension SQLiteMessaging: Topics, EventBus {
    package func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError) {
        guard let queue = topic.subscriber else { return }
        try await file.write { [self] writing in
            let id = Identifier.version8(Hash(of: message.body)).description
            let body = Envelope.notification(message, topic: topic, id: id, at: now())
            try send([body], to: queue, in: writing)
        }
    }

    package func put(_ event: BusEvent) async throws(EventStoreError) {
        let targets = EventRule.targets(of: event)
        if targets.isEmpty { return }
        try await file.write { [self] writing in
            let body = Envelope.event(event, id: Identifier.version8(Hash(of: event.detail)).description)
            for target in targets { try send([body], to: target, in: writing) }
        }
    }
}

// MARK: - Dead letters

extension SQLiteMessaging: DeadLetters {
    private static let columns = "id, queue, body, receives, reason, dead"

    package func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter] {
        let oldest = QueueSettings.oldest(at: now())
        return try await file.read { database in
            var query = Query("SELECT \(Self.columns) FROM dead_letters")
            query.require("sent > ?", oldest.milliseconds)
            query.require("queue = ?", queue?.rawValue)
            query.sql += " ORDER BY dead, id LIMIT ?"
            query.arguments += [max(limit, 0)]
            return try database.rows(query.sql, query.arguments, Self.letter)
        }
    }

    package func letter(_ id: String) async throws(EventStoreError) -> DeadLetter? {
        guard let id = Int64(id) else { return nil }
        return try await file.read {
            try $0.row("SELECT \(Self.columns) FROM dead_letters WHERE id = ?", [id], Self.letter)
        }
    }

    private static func letter(_ row: Row) throws -> DeadLetter {
        DeadLetter(
            id: String(row[0] as Int64), queue: try row.value(1), body: try row.bytes(2), receiveCount: row[3],
            reason: row[4], deadAt: row.moment(5))
    }

    package func redrive(_ ids: [String]) async throws(EventStoreError) -> Int {
        try await file.write { [self] writing in
            var count = 0
            let now = now().milliseconds
            for id in ids.compactMap(Int64.init) {
                // Two operators may redrive together: only the one that finds the letter moves it.
                guard let queue = try QueueName.fetch(id, writing.database) else { continue }
                try writing.database.run(
                    """
                    INSERT INTO messages (id, queue, body, sent, visible, reason)
                    SELECT id, queue, body, ?, ?, reason FROM dead_letters WHERE id = ?
                    """, [now, now, id])
                try writing.database.run("DELETE FROM dead_letters WHERE id = ?", [id])
                if let bell = bells[queue] { writing.ring(bell) }
                count += 1
            }
            return count
        }
    }

    package func remove(_ id: String) async throws(EventStoreError) -> Bool {
        guard let id = Int64(id) else { return false }
        return try await file.write { writing in
            try writing.database.run("DELETE FROM dead_letters WHERE id = ?", [id])
            return writing.database.changesCount > 0
        }
    }
}

extension QueueName {
    fileprivate static func fetch(_ id: Int64, _ database: Database) throws -> QueueName? {
        try database.row("SELECT queue FROM dead_letters WHERE id = ?", [id]) { try $0.value(0) }
    }
}

package import EventStore
import Foundation
import GRDB
package import Handlers

/// One queue of the embedded ledger, with the semantics of SQS.
package struct SQLiteQueue: MessageQueue {
    let name: QueueName
    let messaging: SQLiteMessaging

    /// How long a waiting receiver goes without looking: another process may have put a message in, or one may have
    /// become visible again.
    private static let pollMilliseconds: Int64 = 500

    package func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) {
        try await messaging.file.write { writing in
            try messaging.send(messages.map(\.body), to: name, in: writing)
        }
    }

    package func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        guard let bell = messaging.bells[name] else { return [] }
        var left = waitMilliseconds
        while true {
            let rings = bell.rings
            if try await hasVisible() {
                let received = try await take(limit, visibilityMilliseconds)
                if !received.isEmpty { return received }
            }
            if left <= 0 || Task.isCancelled { return [] }
            await bell.wait(since: rings, atMostMilliseconds: min(left, Self.pollMilliseconds))
            left -= Self.pollMilliseconds
        }
    }

    package func delete(_ receipts: [String]) async throws(EventStoreError) {
        let receipts = receipts.compactMap(Receipt.init)
        if receipts.isEmpty { return }
        let now = messaging.now().milliseconds
        try await messaging.file.write { writing in
            for receipt in receipts {
                try writing.database.run(
                    "DELETE FROM messages WHERE id = ? AND queue = ? AND receipt = ? AND visible > ?",
                    [receipt.id, name.rawValue, receipt.receives, now])
            }
        }
    }

    package func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        let receipts = receipts.compactMap(Receipt.init)
        if receipts.isEmpty { return }
        let now = messaging.now()
        try await messaging.file.write { writing in
            for receipt in receipts {
                try writing.database.run(
                    "UPDATE messages SET visible = ? WHERE id = ? AND queue = ? AND receipt = ? AND visible > ?",
                    [
                        QueueSettings.end(ofHidingFor: max(forMilliseconds, 1), at: now).milliseconds, receipt.id,
                        name.rawValue, receipt.receives, now.milliseconds,
                    ])
            }
        }
    }

    package func retry(
        _ receipt: String, afterMilliseconds delay: Int64, reason: String
    ) async throws(EventStoreError) {
        guard let receipt = Receipt(receipt) else { return }
        let now = messaging.now()
        try await messaging.file.write { writing in
            try writing.database.run(
                """
                UPDATE messages SET visible = ?, reason = ?, receipt = NULL
                WHERE id = ? AND queue = ? AND receipt = ? AND visible > ?
                """,
                [
                    QueueSettings.end(ofHidingFor: delay, at: now).milliseconds, reason, receipt.id, name.rawValue,
                    receipt.receives, now.milliseconds,
                ])
        }
    }

    package func depth() async throws(EventStoreError) -> QueueDepth {
        let now = messaging.now()
        let oldest = QueueSettings.oldest(at: now).milliseconds
        let hidden = QueueSettings.hidden(at: now)
        let (first, last) = (hidden.lowerBound.milliseconds, hidden.upperBound.milliseconds)
        return try await messaging.file.scan { database in
            // What waits to be tried again is hidden, and yet in nobody's hand.
            let counts = try database.row(
                """
                SELECT count(*) FILTER (WHERE visible NOT BETWEEN ?1 AND ?2),
                    count(*) FILTER (WHERE visible BETWEEN ?1 AND ?2),
                    ?3 - min(sent) FILTER (WHERE visible NOT BETWEEN ?1 AND ?2 OR receipt IS NULL),
                    ?3 - min(sent) FILTER (WHERE visible BETWEEN ?1 AND ?2 AND receipt IS NOT NULL)
                FROM messages WHERE queue = ?4 AND sent > ?5
                """, [first, last, now.milliseconds, name.rawValue, oldest]
            ) { (waiting: $0[0] as Int, inFlight: $0[1] as Int, oldest: $0[2] as Int64?, out: $0[3] as Int64?) }
            let dead = try database.row(
                "SELECT count(*) FROM dead_letters WHERE queue = ? AND sent > ?", [name.rawValue, oldest]
            ) { $0[0] as Int }
            return QueueDepth(
                waiting: counts?.waiting ?? 0, inFlight: counts?.inFlight ?? 0, dead: dead ?? 0,
                oldestMilliseconds: counts?.oldest.map { max($0, 0) },
                longestOutMilliseconds: counts?.out.map { max($0, 0) })
        }
    }
}

// MARK: - Receiving

extension SQLiteQueue {
    /// Looks without the write lock, so that an empty queue costs no commit.
    private func hasVisible() async throws(EventStoreError) -> Bool {
        let hidden = QueueSettings.hidden(at: messaging.now())
        return try await messaging.file.read { database in
            try database.row(
                "SELECT 1 FROM messages WHERE queue = ? AND (visible < ? OR visible > ?) LIMIT 1",
                [name.rawValue, hidden.lowerBound.milliseconds, hidden.upperBound.milliseconds]
            ) { _ in true } ?? false
        }
    }

    /// The receive count is durable before anybody sees the message: one that crashes its handler every time still
    /// becomes a dead letter.
    private func take(
        _ limit: Int, _ visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        let now = messaging.now()
        return try await messaging.file.write { writing in
            let database = writing.database
            var received: [ReceivedMessage] = []
            while received.count < limit {
                let found = try find(limit - received.count, at: now, in: database)
                if found.isEmpty { break }
                for message in found {
                    if let taken = try take(message, now, visibilityMilliseconds, in: database) {
                        received.append(taken)
                    }
                }
            }
            return received
        }
    }

    private func find(_ limit: Int, at now: Timestamp, in database: Database) throws -> [Found] {
        let hidden = QueueSettings.hidden(at: now)
        // One after the other, each in the order of the index.
        for (condition, bound) in [("visible < ?", hidden.lowerBound), ("visible > ?", hidden.upperBound)] {
            let found = try database.rows(
                """
                SELECT id, body, sent, receives FROM messages WHERE queue = ? AND \(condition)
                ORDER BY visible, id LIMIT ?
                """, [name.rawValue, bound.milliseconds, limit]
            ) { Found(id: $0[0], body: try $0.bytes(1), sent: $0.moment(2), receives: $0[3]) }
            if !found.isEmpty { return found }
        }
        return []
    }

    private struct Found {
        let id: Int64
        let body: [UInt8]
        let sent: Timestamp
        let receives: Int
    }

    private func take(
        _ message: Found, _ now: Timestamp, _ visibilityMilliseconds: Int64, in database: Database
    ) throws -> ReceivedMessage? {
        if message.sent <= QueueSettings.oldest(at: now) {
            try database.run("DELETE FROM messages WHERE id = ?", [message.id])
            return nil
        }
        if message.receives >= QueueSettings.maximumReceives {
            try database.run(
                """
                INSERT INTO dead_letters (id, queue, body, sent, receives, reason, dead)
                SELECT id, queue, body, sent, receives, reason, ? FROM messages WHERE id = ?
                """, [now.milliseconds, message.id])
            try database.run("DELETE FROM messages WHERE id = ?", [message.id])
            return nil
        }
        let hidden = QueueSettings.end(ofHidingFor: max(visibilityMilliseconds, 1), at: now)
        try database.run(
            "UPDATE messages SET visible = ?, receives = receives + 1, receipt = receives + 1 WHERE id = ?",
            [hidden.milliseconds, message.id])
        let receipt = Receipt(id: message.id, receives: message.receives + 1)
        return ReceivedMessage(
            id: String(message.id), body: message.body, receiveCount: receipt.receives, receipt: receipt.text)
    }
}

/// A receipt names the message and which receive it was: an older receive's receipt does nothing.
private struct Receipt {
    let id: Int64
    let receives: Int

    init(id: Int64, receives: Int) { (self.id, self.receives) = (id, receives) }

    init?(_ text: String) {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let id = Int64(parts[0]), let receives = Int(parts[1]) else { return nil }
        self.init(id: id, receives: receives)
    }

    var text: String { "\(id)-\(receives)" }
}

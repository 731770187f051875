import Appointments
import EventStore
import Foundation
import GRDB

/// Makes the next agenda in a table next to the live one, and has the two change places. It works on a connection of
/// its own, whose temporary table holds the changes; the caller holds the lock of the agenda.
///
/// What it leaves where its process dies is taken away by the next one.
struct SQLiteAgendaSwap {
    private static let live = "schedules"
    private static let next = "schedules_next"
    /// The table that is being emptied.
    private static let gone = "schedules_gone"
    /// The most slots that are copied in one transaction.
    private static let pieceSlots = 500
    /// The least pause after each piece, for those who wait to write: SQLite does not queue them.
    private static let pause = Duration.milliseconds(10)

    private let file: SQLiteFile
    private let changes: [Agenda.Change]
    private let version: Int64

    init(_ file: SQLiteFile, _ changes: [Agenda.Change], _ version: Int64) {
        (self.file, self.changes, self.version) = (file, changes, version)
    }

    /// Brings the change about.
    ///
    /// - Returns: false, and nothing is changed, when the agenda has moved or one of the slots is held by now.
    func run(_ progress: @Sendable (Int, Int) -> Void) async throws(EventStoreError) -> Bool {
        let connection = try file.separateConnection { configuration in
            // Who was given back names its slot, which is there before and after. With these two a renamed table takes
            // no references along.
            configuration.foreignKeysEnabled = false
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA legacy_alter_table = ON") }
        }
        let agenda = AgendaConnection(connection)
        try await clear(agenda)
        try await stage(agenda)
        let mark = version + 1
        try await agenda.write { database in
            try database.execute(sql: SQLiteAgenda.table(Self.next) + SQLiteAgenda.indexes(of: Self.next, mark: mark))
        }
        let kept = """
            main.\(Self.live) AS slot WHERE NOT EXISTS (SELECT 1 FROM changed WHERE changed.schedule = slot.schedule)
            """
        let all = try await agenda.read { try Self.count(kept, $0) } + changes.count
        var done = 0
        for source in [kept, "temp.changed AS slot WHERE true"] {
            var after: Int64 = 0
            while let piece = try await copy(source, after: after, agenda) {
                (after, done) = (piece.through, done + piece.count)
                progress(done, all)
            }
        }
        let isDone = try await agenda.write { try swap(in: $0) }
        try await clear(agenda)
        return isDone
    }

    private static func count(_ source: String, _ database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "SELECT count(*) FROM \(source)") ?? 0
    }

    /// Puts the changes where SQL can reach them; nobody waits for that.
    private func stage(_ agenda: AgendaConnection) async throws(EventStoreError) {
        let changes = changes
        try await agenda.read { database in
            try database.execute(
                sql: """
                    CREATE TEMP TABLE changed (
                        schedule INTEGER PRIMARY KEY, country TEXT, center INTEGER, specialty INTEGER, medic INTEGER,
                        date INTEGER, isNew INTEGER)
                    """)
            try database.execute(sql: "SAVEPOINT staged")
            for change in changes {
                try database.run(
                    "INSERT INTO changed VALUES (?, ?, ?, ?, ?, ?, ?)", change.values + [change.isNew])
            }
            try database.execute(sql: "RELEASE staged")
        }
    }

    /// Copies the next slots into the new table; nil when there are no more.
    private func copy(
        _ source: String, after: Int64, _ agenda: AgendaConnection
    ) async throws(EventStoreError) -> (through: Int64, count: Int)? {
        try await pausing { () throws(EventStoreError) in
            try await agenda.write { database in
                let piece = try database.row(
                    """
                    SELECT max(schedule), count(*) FROM (
                        SELECT slot.schedule FROM \(source) AND slot.schedule > ? ORDER BY slot.schedule LIMIT ?)
                    """, [after, Self.pieceSlots]
                ) { ($0[0] as Int64?, $0[1] as Int) }
                guard let piece, let through = piece.0 else { return nil }
                try database.run(
                    """
                    INSERT INTO \(Self.next) SELECT slot.schedule, country, center, specialty, medic, date
                    FROM \(source) AND slot.schedule > ? AND slot.schedule <= ?
                    """, [after, through])
                return (through, piece.1)
            }
        }
    }

    /// Does a piece of work, and rests for twice as long as it took: on a busy machine a piece takes longer, and those
    /// who wait need more room.
    private func pausing<Value>(
        _ piece: () async throws(EventStoreError) -> Value
    ) async throws(EventStoreError) -> Value {
        let start = ContinuousClock.now
        let value = try await piece()
        try? await Task.sleep(for: max((ContinuousClock.now - start) * 2, Self.pause))
        return value
    }

    private func swap(in database: Database) throws -> Bool {
        guard try SQLiteAgenda.version(in: database) == version else { return false }
        // Few are held, or few are replaced; either way one index is gone through.
        let held = try database.row(
            """
            SELECT 1 FROM claims AS claim JOIN changed
                ON changed.country = claim.country AND changed.schedule = claim.schedule
            WHERE claim.released IS NULL AND NOT changed.isNew LIMIT 1
            """, []
        ) { _ in true }
        if held == true { return false }
        try database.execute(
            sql: SQLiteAgenda.dropTriggers + """
                ALTER TABLE \(Self.live) RENAME TO \(Self.gone);
                ALTER TABLE \(Self.next) RENAME TO \(Self.live);
                """ + SQLiteAgenda.triggers)
        try SQLiteAgenda.moveVersion(in: database)
        return true
    }

    /// Empties and drops what a swap has put aside, or one that was stopped has left.
    private func clear(_ agenda: AgendaConnection) async throws(EventStoreError) {
        while true {
            let isOver = try await pausing { () throws(EventStoreError) in
                try await agenda.write { database in
                    let hasGone = try Self.isThere(Self.gone, in: database)
                    if !hasGone {
                        guard try Self.isThere(Self.next, in: database) else { return true }
                        try database.execute(sql: "ALTER TABLE \(Self.next) RENAME TO \(Self.gone)")
                    }
                    try Self.clearPiece(in: database)
                    return false
                }
            }
            if isOver { break }
        }
        try await agenda.read { try $0.execute(sql: "DROP TABLE IF EXISTS temp.changed") }
    }

    private static func isThere(_ table: String, in database: Database) throws -> Bool {
        try database.row("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?", [table]) { _ in true }
            ?? false
    }

    /// SQLite overwrites what is dropped, so a large table goes a piece at a time, indexes included.
    private static func clearPiece(in database: Database) throws {
        try database.execute(
            sql: """
                DELETE FROM \(gone) WHERE schedule IN (SELECT schedule FROM \(gone) LIMIT \(pieceSlots))
                """)
        if database.changesCount == 0 { try database.execute(sql: "DROP TABLE \(gone)") }
    }
}

/// A connection of its own, used by one caller at a time without blocking a thread of Swift's tasks.
private struct AgendaConnection {
    private let queue: DatabaseQueue

    init(_ queue: DatabaseQueue) { self.queue = queue }

    /// Runs work outside of a transaction of the file.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                queue.asyncWriteWithoutTransaction { database in
                    continuation.resume(with: Result { try body(database) })
                }
            }
        } catch {
            throw SQLiteFile.translate(error)
        }
    }

    /// Runs work in one transaction, which begins with the lock of the one writer.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        try await read { database in
            var value: Value?
            try database.inTransaction(.immediate) {
                value = try body(database)
                return .commit
            }
            guard let value else { preconditionFailure("a transaction that did not fail has run its body") }
            return value
        }
    }
}

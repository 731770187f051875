package import EventStore
import GRDB

extension SQLiteEventStore: IdentityStore {
    package func identity() async throws(EventStoreError) -> LedgerIdentity? {
        try await file.read { try Self.identity(in: $0) }
    }

    package func begin(
        _ next: LedgerIdentity, after before: LedgerIdentity?, at now: Timestamp
    ) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            guard try Self.identity(in: writing.database) == before else { return false }
            try writing.database.run(
                "INSERT INTO epochs (epoch, ledger, position, at) SELECT ?, ?, position, ? FROM head",
                [next.epoch, next.id.blob, now.milliseconds])
            return true
        }
    }

    /// A reader sees what is committed, and with `synchronous=FULL` that is durable.
    package func lastMark() async throws(EventStoreError) -> LogMark {
        try await file.read { database in
            let head = try Int.fetchOne(database.cachedStatement(sql: "SELECT position FROM head")) ?? 0
            return try Self.mark(at: head, in: database)
        }
    }

    package func mark(at position: Int) async throws(EventStoreError) -> LogMark {
        try await file.read { try Self.mark(at: position, in: $0) }
    }

    private static func identity(in database: Database) throws -> LedgerIdentity? {
        try database.row("SELECT ledger, epoch FROM epochs ORDER BY epoch DESC LIMIT 1") {
            LedgerIdentity(id: try $0.identifier(0), epoch: $0[1])
        }
    }

    /// A leaf that was damaged is none: `verify` names it.
    private static func mark(at position: Int, in database: Database) throws -> LogMark {
        let bytes = try database.row("SELECT leaf FROM events WHERE position = ?", [position]) { try $0.bytes(0) }
        return LogMark(position: position, leaf: bytes.flatMap { Hash(bytes: $0) })
    }
}

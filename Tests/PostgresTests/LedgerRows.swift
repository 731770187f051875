import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// Rows for the mirror's tables, as a mirror writes them.
enum LedgerRows {
    static let noon = Timestamp(milliseconds: 1_772_470_800_000)

    static func id(_ number: Int) -> Identifier { Identifier(high: 0x7000, low: 1 << 63 | UInt64(number)) }

    /// The first entry of a stream, or a second one after `previous`.
    static func entry(
        _ number: Int, version: Int = 1, previous: Hash? = nil, at: Timestamp = noon, type: String = "requested",
        note: String = "{}"
    ) throws -> Entry {
        try Entry(
            NewEvent(
                type: type, schema: 1, id: id(1000 * version + number), at: at, country: "PE", actor: "key:desk",
                correlation: "c-\(number)", causation: nil, data: Array(note.utf8)),
            stream: StreamID(id(number)), version: version, previous: previous)
    }

    static func insert(_ entry: Entry, at position: Int, leaf: Hash? = nil) -> PostgresStatement {
        PostgresStatement(
            """
            INSERT INTO ledger.entries
                (position, at, stream, id, version, type, country, actor, correlation, leaf, previous, entry)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            [
                .int8(position), .moment(entry.at), .uuid(entry.stream.id), .uuid(entry.id), .int4(entry.version),
                .text(entry.type), .text(entry.country), .text(entry.actor), .text(entry.correlation),
                .hash(leaf ?? .leaf(of: entry.bytes)), .ifPresent(entry.previous) { .hash($0) }, .bytes(entry.bytes),
            ])
    }

    /// The row of a stream's appointment, for an insured person.
    static func insertAppointment(_ number: Int, insured: String) -> PostgresStatement {
        PostgresStatement(
            """
            INSERT INTO ledger.appointments
                (appointment, created, updated, schedule, version, insured, country, status, leaf)
            VALUES ($1, $2, $2, 100, 1, $3, 'PE', 'pending', $4)
            """, [.uuid(id(number)), .moment(noon), .text(insured), .hash(Hash(of: []))])
    }

    /// A database with the appointments of three persons, 00101 to 00103, one entry each.
    static func database() async throws -> TestDatabase {
        let database = try await TestCluster.database(.ledger)
        let statements = try (1...3).flatMap { number in
            [insert(try entry(number), at: number), insertAppointment(number, insured: "0010\(number)")]
        }
        _ = try await database.login("ledger_mirror").use { try $0.pipeline(statements) }
        return database
    }
}

/// The SQLSTATE that a text of SQL ends with in a session of its own; nil when it succeeds.
func sqlState(of script: String, in pool: PostgresPool) async throws -> String? {
    do throws(EventStoreError) {
        try await pool.use { session in
            try session.run(script)
        }
        return nil
    } catch {
        return try #require(error.postgres, "\(error)").sqlState
    }
}

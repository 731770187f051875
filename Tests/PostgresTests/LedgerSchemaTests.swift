import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// What the mirror's tables keep by themselves, whoever writes.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct LedgerSchemaTests {
    private func head(_ pool: PostgresPool) async throws -> Int? {
        try await pool.use { try $0.row("SELECT position FROM ledger.head") { try $0.int(0) } }
    }

    private func refusal(_ statements: [PostgresStatement], in pool: PostgresPool) async throws -> PostgresError? {
        do throws(EventStoreError) {
            _ = try await pool.use { try $0.pipeline(statements) }
            return nil
        } catch {
            let refusal = try #require(error.postgres, "\(error)")
            return refusal
        }
    }

    @Test("positions have no hole: the head moves with the entries, and by no more")
    func positions() async throws {
        let database = try await TestCluster.database(.ledger)
        let mirror = try database.login("ledger_mirror")
        let entries = try (1...4).map { try LedgerRows.entry($0) }
        #expect(try await refusal([LedgerRows.insert(entries[0], at: 2)], in: mirror)?.sqlState == "23000")
        #expect(try await head(mirror) == 0)
        #expect(
            try await refusal(entries.prefix(2).enumerated().map { LedgerRows.insert($1, at: $0 + 1) }, in: mirror)
                == nil)
        #expect(try await head(mirror) == 2)
        #expect(try await refusal([LedgerRows.insert(entries[2], at: 4)], in: mirror)?.sqlState == "23000")
        #expect(try await refusal([LedgerRows.insert(entries[2], at: 2)], in: mirror)?.sqlState == "23505")
        #expect(try await head(mirror) == 2)
        #expect(try await refusal([LedgerRows.insert(entries[2], at: 3)], in: mirror) == nil)
        #expect(try await head(mirror) == 3)
    }

    @Test("an entry that was lost behind the triggers can be put back, and the head stays")
    func lostEntry() async throws {
        let database = try await LedgerRows.database()
        #expect(
            try await sqlState(
                of: """
                    ALTER TABLE ledger.entries DISABLE TRIGGER ALL; DELETE FROM ledger.entries WHERE position = 2;
                    ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;
                    """, in: try database.pool) == nil)
        let mirror = try database.login("ledger_mirror")
        #expect(try await refusal([LedgerRows.insert(try LedgerRows.entry(2), at: 2)], in: mirror) == nil)
        #expect(try await head(mirror) == 3)
    }

    @Test("an entry hashes to its leaf, stands once in its stream, and names the one before")
    func entries() async throws {
        let database = try await LedgerRows.database()
        let mirror = try database.login("ledger_mirror")
        let first = try LedgerRows.entry(1)
        let wrongLeaf = LedgerRows.insert(try LedgerRows.entry(4), at: 4, leaf: .leaf(of: first.bytes))
        #expect(try await refusal([wrongLeaf], in: mirror)?.constraint == "entries_hash_to_their_leaf")
        let again = try LedgerRows.entry(1, note: "{\"other\":1}")
        #expect(try await refusal([LedgerRows.insert(again, at: 4)], in: mirror)?.sqlState == "23505")
        let orphan = try LedgerRows.entry(4, version: 2)
        #expect(
            try await refusal([LedgerRows.insert(orphan, at: 4)], in: mirror)?.constraint
                == "entries_name_the_one_before")
        let second = try LedgerRows.entry(1, version: 2, previous: .leaf(of: first.bytes), type: "routed")
        #expect(try await refusal([LedgerRows.insert(second, at: 4)], in: mirror) == nil)
    }

    @Test("bytes and moments come back as they were written")
    func roundTrip() async throws {
        let database = try await TestCluster.database(.ledger)
        let mirror = try database.login("ledger_mirror")
        let moments = [Timestamp.bounds.lowerBound, -1, 0, 999, 1_772_470_800_123, Timestamp.bounds.upperBound]
        let entries = try moments.enumerated().map { index, moment in
            try LedgerRows.entry(index, at: Timestamp(milliseconds: moment), note: "{\"text\":\"ñ ✓ \\u0000\"}")
        }
        #expect(
            try await refusal(entries.enumerated().map { LedgerRows.insert($1, at: $0 + 1) }, in: mirror) == nil)
        let read = try await mirror.use { session in
            try session.query("SELECT entry, at FROM ledger.entries ORDER BY position") {
                (try $0.bytes(0), try $0.moment(1))
            }
        }
        #expect(read.map(\.0) == entries.map(\.bytes))
        #expect(read.map(\.1) == entries.map(\.at))
    }

    @Test("the bounds of a span of time hold every entry of it, whatever order they came in")
    func bounds() async throws {
        let database = try await TestCluster.database(.ledger)
        let mirror = try database.login("ledger_mirror")
        func bounds(_ from: String, _ to: String) async throws -> [Int] {
            try await mirror.use { session in
                try session.row("SELECT first, last FROM ledger.bounds(\(from), \(to))") {
                    [try $0.int(0), try $0.int(1)]
                } ?? []
            }
        }
        #expect(try await bounds("NULL", "NULL") == [1, 0])
        try await database.pool.use { session in
            try session.run(
                """
                INSERT INTO ledger.entries
                    (position, at, stream, id, version, type, country, actor, correlation, leaf, entry)
                SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second', gen_random_uuid(), gen_random_uuid(), 1,
                    'requested', 'PE', 'a', 'c', sha256('\\x00'), ''
                FROM generate_series(1, 3 * 4096) AS n;
                INSERT INTO ledger.entries
                    (position, at, stream, id, version, type, country, actor, correlation, leaf, entry)
                VALUES (12289, '2025-06-01Z', gen_random_uuid(), gen_random_uuid(), 1, 'requested', 'PE', 'a', 'c',
                    sha256('\\x00'), '');
                """)
        }
        #expect(try await bounds("NULL", "NULL") == [1, 16384])
        #expect(try await bounds("'2025-01-01Z'", "'2025-12-01Z'") == [12289, 16384])
        #expect(try await bounds("'2026-01-01 02:00Z'", "NULL") == [4097, 12288])
        #expect(try await bounds("'2026-01-01 00:01Z'", "'2026-01-01 00:02Z'") == [1, 16384 - 4096 * 3])
        #expect(try await bounds("'2027-01-01Z'", "NULL") == [1, 0])
    }

    @Test("the indexes of readers can be laid aside for a backfill, and are the same when they are built again")
    func indexes() async throws {
        let database = try await TestCluster.database(.ledger)
        let mirror = try database.login("ledger_mirror")
        func indexes() async throws -> [String] {
            try await mirror.use { session in
                try session.query("SELECT indexdef::text FROM pg_indexes WHERE schemaname = 'ledger' ORDER BY 1") {
                    try $0.text(0)
                }
            }
        }
        let before = try await indexes()
        #expect(try await sqlState(of: "SELECT ledger.drop_indexes()", in: mirror) == nil)
        let without = try await indexes()
        #expect(without.count == before.count - 8 && without.contains { $0.contains("(stream, version)") })
        #expect(
            try await sqlState(of: "SELECT ledger.build_indexes(); SELECT ledger.build_indexes()", in: mirror) == nil)
        #expect(try await indexes() == before)
    }
}

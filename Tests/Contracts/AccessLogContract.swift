import AWSEngine
import EventStore
import MemoryEngine
import PostgresEngine
import Replay
import SQLiteEngine
import TestAWS
import TestEngines
import TestPostgres
import Testing

@Suite("The contract of AccessLog", .dropsDatabases)
struct AccessLogContract {
    /// The trails that the contract runs against.
    enum Trail: String, CaseIterable, CustomTestStringConvertible {
        case memory
        case sqlite
        case postgres
        /// PostgreSQL's, with SQLite's behind it.
        case both
        case aws

        /// Those that this machine can run.
        static var available: [Trail] {
            [.memory, .sqlite] + (TestCluster.isThere ? [.postgres, .both] : []) + (Emulator.isThere ? [.aws] : [])
        }

        /// Those whose accesses are one chain.
        static var chained: [Trail] { available.filter { $0 != .both } }

        var testDescription: String { rawValue }

        func make() async throws -> any AccessLog {
            switch self {
            case .memory: MemoryAccessLog()
            case .sqlite: SQLiteAccessLog(try SQLiteFile(path: try ScratchFile().path))
            case .postgres: PostgresAccessLog(try await TestCluster.database(.ledger).login("ledger_mirror"))
            case .aws:
                DynamoDBAccessLog(try await Self.tables(), tables: DynamoDBTables()) { .random(in: .min ... .max) }
            case .both: AccessLogs(try await Self.postgres.make(), otherwise: try await Self.sqlite.make())
            }
        }

        /// A client of an account with the tables.
        private static func tables() async throws -> AWSClient {
            let client = try Emulator.client()
            try await Emulator.makeTables(client)
            return client
        }
    }

    private func access(_ minute: Int64, by caller: String) -> AccessRecord {
        AccessRecord(
            at: Samples.noon.adding(milliseconds: minute * 60_000), caller: caller,
            filters: Array(#"{"after": 0}"#.utf8), rows: Int(minute))
    }

    @Test("accesses come newest first, those of a caller and a time", arguments: Trail.available)
    func filters(trail: Trail) async throws {
        let trail = try await trail.make()
        let all = (1...6).map { access(Int64($0), by: $0.isMultiple(of: 2) ? "key:ana" : "key:luz") }
        for access in all { try await trail.record(access) }
        func found(_ filter: AccessFilter, limit: Int = 10) async throws -> [Int] {
            try await trail.accesses(matching: filter, limit: limit).map(\.rows)
        }
        #expect(try await trail.accesses(matching: AccessFilter(), limit: 10) == all.reversed())
        #expect(try await found(AccessFilter(), limit: 2) == [6, 5])
        #expect(try await found(AccessFilter(), limit: 0).isEmpty)
        #expect(try await found(AccessFilter(caller: "key:ana")) == [6, 4, 2])
        #expect(try await found(AccessFilter(from: all[2].at, to: all[4].at)) == [5, 4, 3])
        #expect(try await found(AccessFilter(caller: "key:luz", to: all[3].at)) == [3, 1])
        #expect(try await found(AccessFilter(caller: "key:")).isEmpty)
    }

    @Test("each access is chained to the one before it, whoever records beside whom", arguments: Trail.chained)
    func chained(trail: Trail) async throws {
        let trail = try #require(try await trail.make() as? any AccessLog & ChainedRecords)
        #expect(try await trail.chain() == RecordChain(trail.chainName))
        await withTaskGroup(of: Void.self) { group in
            for number in 1...12 {
                group.addTask { [access = access(Int64(number), by: "key:ñandú")] in
                    do { try await trail.record(access) } catch { Issue.record(error) }
                }
            }
        }
        // In DynamoDB its first record is over what stood there before.
        #expect([12, 13].contains(try await trail.chain().count))
        for batch in [5, 100] { #expect(try await trail.firstBreak(batch: batch) == nil) }
        #expect(try await trail.accesses(matching: AccessFilter(), limit: 20).count == 12)
    }

    @Test(
        "an access that was rewritten in the mirror is found at its place, and what stood there before is in the chain",
        .enabled(if: TestCluster.isThere, TestCluster.reason))
    func rewritten() async throws {
        let steps = Migrator.steps(of: .ledger)
        let before = steps.prefix { !$0.name.contains("access-chain") }
        let database = try await TestCluster.emptyDatabase()
        _ = try await Migrator(try database.pool, Array(before)).up()
        try await database.pool.use { session in
            try session.run(
                """
                INSERT INTO ledger.audit_access (at, caller, filters, rows)
                SELECT timestamptz '2026-11-24T12:00:00.123456Z', 'key:ñandú', '{"b": 1, "a": [null]}', n
                FROM generate_series(1, 3) AS n
                """)
        }
        _ = try await Migrator(try database.pool, steps).up()
        let trail = PostgresAccessLog(try database.login("ledger_mirror"))
        for number in 4...6 { try await trail.record(access(Int64(number), by: "key:ana")) }
        #expect(try await trail.chain().count == 6)
        #expect(try await trail.firstBreak(batch: 4) == nil)
        func rewrite(_ sql: String) async throws {
            try await database.pool.use { session in
                try session.run(
                    """
                    ALTER TABLE ledger.audit_access DISABLE TRIGGER USER; \(sql);
                    ALTER TABLE ledger.audit_access ENABLE ALWAYS TRIGGER access_never_changes
                    """)
            }
        }
        try await rewrite("DELETE FROM ledger.audit_access WHERE number = 6")
        #expect(try await trail.firstBreak() == .end(count: 5, wanted: 6))
        try await rewrite("UPDATE ledger.audit_access SET caller = 'key:innocent' WHERE number = 5")
        #expect(try await trail.finding(in: "the mirror")?.kind == .recordDiffers)
        try await rewrite("UPDATE ledger.audit_access SET filters = '{}' WHERE number = 2")
        #expect(try await trail.firstBreak() == .record(number: 2))
    }

    @Test("accesses of the two trails are shown together, in their order")
    func together() async throws {
        let (first, second) = (MemoryAccessLog(), MemoryAccessLog())
        for minute in [1, 3, 5] as [Int64] { try await first.record(access(minute, by: "a")) }
        for minute in [2, 4] as [Int64] { try await second.record(access(minute, by: "b")) }
        let trail = AccessLogs(first, otherwise: second)
        #expect(try await trail.accesses(matching: AccessFilter(), limit: 4).map(\.rows) == [5, 4, 3, 2])
    }
}

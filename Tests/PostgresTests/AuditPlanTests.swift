import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// How the server answers auditors out of a million events.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct AuditPlanTests {
    private static let events = 1_000_000
    private static let began = Timestamp(milliseconds: 1_767_225_600_000)

    /// A million events, one a second, four an appointment, two countries, fifty actors.
    private func millionEvents() async throws -> PostgresPool {
        let database = try await TestCluster.database(.ledger)
        try await database.pool.use { session in
            try session.limitStatements(toMilliseconds: 0)
            try session.run("SELECT ledger.drop_indexes()")
            try session.run(
                """
                INSERT INTO ledger.entries
                    (position, at, stream, id, version, type, country, actor, correlation, leaf, previous, entry)
                SELECT n, '2026-01-01Z'::timestamptz + n * interval '1 second',
                    ('00000000-0000-7000-8000-' || lpad(to_hex((n - 1) / 4), 12, '0'))::uuid,
                    ('00000000-0000-8000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (n - 1) % 4 + 1,
                    CASE WHEN n % 4 = 1 THEN 'requested' WHEN n % 4 = 2 THEN 'routed'
                        WHEN n % 4 = 3 THEN 'country-processed' WHEN n % 200 = 0 THEN 'failed' ELSE 'completed' END,
                    CASE WHEN (n - 1) / 4 % 3 = 0 THEN 'CL' ELSE 'PE' END, 'key:' || (n - 1) / 4 % 50,
                    'c-' || (n - 1) / 4, sha256('\\x00' || entry),
                    CASE WHEN n % 4 <> 1 THEN sha256('\\x01') END, entry
                FROM generate_series(1, \(Self.events)) AS n,
                    LATERAL convert_to(repeat('x', 400) || n, 'UTF8') AS entry
                """)
            try session.run("SELECT ledger.build_indexes()")
            try session.run("SELECT ledger.gather_statistics()")
        }
        return PostgresPool(
            try database.settings(user: "ledger_mirror").auditing, size: 1, random: TestCluster.random)
    }

    /// Every combination of the filters that there are.
    private static var filters: [EventFilter] {
        let streams = Set((0..<3).map { StreamID(Identifier(high: 0x7000, low: 1 << 63 | UInt64(100_000 + $0))) })
        return (0..<128).map { choice in
            func chosen<Value>(_ bit: Int, _ value: Value) -> Value? { choice >> bit & 1 == 1 ? value : nil }
            return EventFilter(
                type: chosen(0, "failed"), country: chosen(1, "CL"), streams: chosen(2, streams),
                actor: chosen(3, "key:7"), correlation: chosen(4, "c-100000"),
                from: chosen(5, began.adding(milliseconds: 300_000_000)),
                to: chosen(6, began.adding(milliseconds: 900_000_000)))
        }
    }

    @Test("every combination of filters finds its page of a million events by an index, and looks at few rows")
    func plans() async throws {
        let pool = try await millionEvents()
        for filter in Self.filters {
            for position in [0, 500_000] {
                let plan = try await pool.use { session in
                    var query = PostgresMirror.query(filter, after: position, limit: 101)
                    if filter.from != nil || filter.to != nil,
                        let bounds = try PostgresMirror.bounds(of: filter, in: session)
                    {
                        query.narrow(to: bounds)
                    }
                    return try session.query("EXPLAIN (ANALYZE, TIMING OFF) \(query.sql)", query.parameters) {
                        try $0.text(0)
                    }
                }
                let text = plan.joined(separator: "\n")
                #expect(!text.contains("Seq Scan") && text.contains("Index"), "\(filter) after \(position): \(text)")
                #expect(Self.wasted(plan) <= 20_000, "\(filter) after \(position): \(text)")
            }
        }
        await pool.close()
    }

    /// How many rows were looked at for nothing.
    private static func wasted(_ plan: [String]) -> Int {
        plan.compactMap { line in
            let parts = line.split(separator: ":")
            guard parts.count == 2, parts[0].contains("Rows Removed by") else { return nil }
            return Int(parts[1].drop { $0 == " " })
        }.reduce(0, +)
    }
}

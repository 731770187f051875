import EventStore
import Handlers
import PostgresEngine
import TestPostgres
import Testing

/// Many rows at once.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct CopyTests {
    private static let columns = "entries (position, entry, leaf, at, id, note, tags)"
    private static let table = """
        CREATE TABLE entries (position bigint PRIMARY KEY, entry bytea, leaf bytea, at timestamptz, id uuid, note text,
            tags text[], small int2)
        """

    private static func values(_ position: Int) -> [PostgresValue] {
        let entry = Array("entry \(position)".utf8)
        return [
            .int8(position), .bytes(entry), .hash(Hash(of: entry)), .moment(Timestamp(milliseconds: Int64(position))),
            .uuid(Identifier(high: 7, low: UInt64(position))), position % 3 == 0 ? .null : .text("n\(position)"),
            .array(position % 2 == 0 ? [] : [.text("a"), .null]),
        ]
    }

    private func entries() async throws -> PostgresPool {
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { try $0.run(Self.table) }
        return pool
    }

    private func count(_ pool: PostgresPool) async throws -> Int? {
        try await pool.use { try $0.row("SELECT count(*) FROM entries") { try $0.int(0) } }
    }

    @Test("a hundred thousand rows go in and come out as they were")
    func bothWays() async throws {
        let pool = try await entries()
        try await pool.use { session in
            // What the test does between two rows counts as the statement's time.
            try session.limitStatements(toMilliseconds: 0)
            let written = try session.copyIn(Self.columns) { writer in
                for position in 1...100_000 { try writer.row(Self.values(position)) }
            }
            #expect(written == 100_000)
            var expected = 1
            let query = "SELECT position, entry, leaf, at, id, note FROM entries ORDER BY position"
            _ = try session.query(query) { row in
                let entry = Array("entry \(expected)".utf8)
                let isSame =
                    try row.int(0) == expected && row.bytes(1) == entry && row.hash(2) == Hash(of: entry)
                    && row.moment(3).milliseconds == Int64(expected) && row.uuid(4).low == UInt64(expected)
                    && row.ifPresent(5, row.text) == (expected % 3 == 0 ? nil : "n\(expected)")
                if !isSame { Issue.record("row \(expected) differs") }
                expected += 1
            }
            #expect(expected == 100_001)
            let tags = try session.row("SELECT count(*) FROM entries WHERE tags = '{}'") { try $0.int(0) }
            #expect(tags == 50_000)
        }
    }

    @Test("no row is a copy too")
    func none() async throws {
        let pool = try await entries()
        try await pool.use { session in
            let written = try session.copyIn(Self.columns) { _ in }
            let left = try session.row("SELECT count(*) FROM entries") { try $0.int(0) }
            #expect(written == 0 && left == 0)
        }
    }

    @Test("a copy with a row that the table refuses copies nothing, and the session goes on")
    func refused() async throws {
        let pool = try await entries()
        try await pool.use { session in
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn(Self.columns) { writer in
                    for position in 1...20_000 { try writer.row(Self.values(position == 15_000 ? 1 : position)) }
                }
            }
            #expect(error?.sqlState == "23505" && error?.constraint == "entries_pkey")
            #expect(error.map { "\($0)".contains("entry 1") } == false)
            let left = try session.row("SELECT count(*) FROM entries") { try $0.int(0) }
            #expect(left == 0)
        }
    }

    @Test("a copy whose writer throws copies nothing, and the session goes on")
    func stopped() async throws {
        struct Stop: Error {}
        let pool = try await entries()
        try await pool.use { session in
            let process = session.serverProcess
            #expect(throws: Stop.self) {
                try session.copyIn(Self.columns) { writer in
                    for position in 1...5000 { try writer.row(Self.values(position)) }
                    throw Stop()
                }
            }
            let left = try session.row("SELECT count(*) FROM entries") { try $0.int(0) }
            #expect(left == 0 && session.serverProcess == process)
        }
    }

    @Test("a row with too few values, or one that its column can't hold, is refused and nothing is copied")
    func misfits() async throws {
        let pool = try await entries()
        let rows: [(String, [PostgresValue], String)] = [
            (Self.columns, [.int8(1)], "22P04"), ("entries (position, small)", [.int8(1), .int8(40_000)], "22003"),
            ("entries (position, note)", [.int8(1), .uuid(Identifier(high: 0, low: 0))], "42804"),
            ("entries (position, note)", [.int8(1), .text("a\0")], "22021"),
        ]
        for (target, values, state) in rows {
            let error = await #expect(throws: EventStoreError.self) {
                try await pool.use { try $0.copyIn(target) { try $0.row(values) } }
            }
            #expect(error?.postgres?.sqlState == state)
        }
        #expect(try await count(pool) == 0)
        let absent = await #expect(throws: EventStoreError.self) {
            try await pool.use { try $0.copyIn("nowhere (a)") { _ in } }
        }
        #expect(absent?.postgres?.sqlState == "42P01")
    }

    @Test("a copy whose server process is killed copies nothing and says so", arguments: 1...3)
    func killed(round: Int) async throws {
        let pool = try await entries()
        let other = try TestCluster.shared
        let error = await #expect(throws: EventStoreError.self) {
            try await pool.use { session in
                let victim = session.serverProcess
                try session.copyIn(Self.columns) { writer in
                    for position in 1... {
                        if position == round * 3000 { terminate(victim, other) }
                        try writer.row(Self.values(position))
                    }
                }
            }
        }
        #expect(error?.code == .unavailable && error?.postgres?.isConnectionLost == true)
        #expect(error?.postgres?.isOutcomeUnknown == false)
        #expect(try await count(pool) == 0)
    }
}

/// Ends a server process while its session's thread is busy.
func terminate(_ process: Int, _ pool: PostgresPool) {
    Task { try await pool.use { try $0.execute("SELECT pg_terminate_backend($1)", [.int8(process)]) } }
}

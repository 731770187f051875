import EventStore
import Handlers
import PostgresEngine
import TestPostgres
import Testing

/// What a session does with statements and with their failures.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct SessionTests {
    private static let table = "CREATE TABLE words (id bigint PRIMARY KEY, word text NOT NULL CHECK (word <> ''))"

    /// What the database has to say about a statement that it refuses.
    private func refusal(
        _ pool: PostgresPool, _ body: @escaping @Sendable (PostgresSession) throws -> Void
    ) async throws -> PostgresError {
        let error = await #expect(throws: EventStoreError.self) { try await pool.use(body) }
        return try #require(error?.postgres)
    }

    private func count(_ pool: PostgresPool) async throws -> Int? {
        try await pool.use { try $0.row("SELECT count(*) FROM words") { try $0.int(0) } }
    }

    @Test("rows that were written are read back in order, and one of none is nil")
    func rows() async throws {
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { session in
            try session.run(Self.table)
            for (id, word) in ["uno", "dos", "ñandú"].enumerated() {
                #expect(try session.execute("INSERT INTO words VALUES ($1, $2)", [.int8(id), .text(word)]) == 1)
            }
            let read = try session.query("SELECT id, word FROM words ORDER BY id DESC") { row in
                "\(try row.int(0)) \(try row.text(1))"
            }
            #expect(read == ["2 ñandú", "1 dos", "0 uno"])
            #expect(try session.row("SELECT id FROM words WHERE id > 7") { try $0.int(0) } == nil)
            #expect(try session.execute("DELETE FROM words WHERE id > $1", [.int8(0)]) == 2)
        }
    }

    @Test("a statement is parsed once a session, and anew after its table was changed")
    func cache() async throws {
        let pool = try await TestCluster.emptyDatabase().pool
        let parsed = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT * FROM words%'"
        try await pool.use { session in
            try session.run(Self.table)
            for _ in 0..<5 { _ = try session.query("SELECT * FROM words") { try $0.int(0) } }
            #expect(try session.row(parsed) { try $0.int(0) } == 1)
            try session.run("ALTER TABLE words ADD COLUMN more int")
        }
        let stale = try await refusal(pool) { _ = try $0.query("SELECT * FROM words") { try $0.int(0) } }
        #expect(stale.sqlState == "0A000")
        #expect(try await pool.use { try $0.query("SELECT * FROM words") { try $0.int(0) } } == [])
    }

    @Test("many different statements do not pile up in the server")
    func manyStatements() async throws {
        let pool = try await TestCluster.emptyDatabase().pool
        let kept = try await pool.use { session in
            for number in 0..<600 { try session.execute("SELECT \(number)") }
            return try session.row("SELECT count(*) FROM pg_prepared_statements") { try $0.int(0) }
        }
        #expect(try #require(kept) <= 256)
    }

    @Test("each refusal has its code, its table and its constraint, and no value of a row")
    func refusals() async throws {
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { session in
            try session.run(Self.table)
            try session.execute("INSERT INTO words VALUES (4711, 'geheim')")
        }
        let cases: [(String, [PostgresValue], String, String?)] = [
            ("INSERT INTO words VALUES ($1, $2)", [.int8(4711), .text("geheim")], "23505", "words_pkey"),
            ("INSERT INTO words VALUES ($1, $2)", [.int8(1), .text("")], "23514", "words_word_check"),
            ("INSERT INTO words VALUES ($1, $2)", [.int8(4712), .null], "23502", nil),
            ("SELECT ($1::text)::int8", [.text("geheim")], "22P02", nil),
            ("SELECT ($1::text)::date", [.text("geheim 4711")], "22007", nil),
            ("SELECT ($1::text)::jsonb", [.text("geheim 4711")], "22P02", nil),
            ("SELECT ($1::int8)::int2", [.int8(471_147)], "22003", nil),
            ("SELECT $1::int8 / 0", [.int8(4711)], "22012", nil), ("SELECT 1 FROM nowhere", [], "42P01", nil),
            ("SELEKT", [], "42601", nil),
            ("SELECT ($1::text)::varchar COLLATE nowhere", [.text("geheim")], "42704", nil),
        ]
        for (sql, parameters, state, constraint) in cases {
            let error = try await refusal(pool) { try $0.execute(sql, parameters) }
            #expect(error.sqlState == state && error.constraint == constraint)
            if state.hasPrefix("23") { #expect(error.table == "words") }
            let whole = "\(error) \(EventStoreError(postgres: error)) \(String(reflecting: error))"
            #expect(!whole.contains("geheim") && !whole.contains("4711"))
            #expect(!error.isOutage && !error.isLostRace && !error.isConnectionLost && !error.isOutcomeUnknown)
        }
        let missing = try await refusal(pool) { try $0.execute("SELECT 1 FROM nowhere") }
        #expect(EventStoreError(postgres: missing).message.contains("run ledger migrate up"))
    }

    @Test("a transaction is kept whole when it returns, and not at all when it throws")
    func transactions() async throws {
        struct Stop: Error {}
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { try $0.run(Self.table) }
        try await pool.transaction { try $0.execute("INSERT INTO words VALUES (1, 'kept')") }
        await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in
                try session.execute("INSERT INTO words VALUES (2, 'lost')")
                throw Stop()
            }
        }
        let swallowed = await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in
                try session.execute("INSERT INTO words VALUES (3, 'lost')")
                _ = try? session.execute("INSERT INTO words VALUES (3, 'again')")
            }
        }
        #expect(swallowed?.postgres?.sqlState == "25P02")
        // What a body leaves open is rolled back before anybody else gets the session.
        try await pool.use { session in
            try session.run("BEGIN")
            try session.execute("INSERT INTO words VALUES (4, 'lost')")
        }
        #expect(try await count(pool) == 1)
        let nested = await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in try session.transaction {} }
        }
        #expect(nested?.code == .invalid)
    }

    @Test("a transaction that loses against another is run again, three times at most")
    func races() async throws {
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { session in
            try session.run("CREATE TABLE counters (n bigint); INSERT INTO counters VALUES (0)")
        }
        let wins = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    var wins = 0
                    for _ in 0..<10 {
                        let won: Void? = try? await pool.transaction { session in
                            try session.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                            let n = try session.row("SELECT n FROM counters") { try $0.int(0) } ?? 0
                            try session.execute("UPDATE counters SET n = $1", [.int8(n + 1)])
                        }
                        if won != nil { wins += 1 }
                    }
                    return wins
                }
            }
            return await group.reduce(0, +)
        }
        #expect(try await pool.use { try $0.row("SELECT n FROM counters") { try $0.int(0) } } == wins)
        let rounds = Rounds()
        let lost = await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in
                rounds.count()
                try session.run("DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$")
            }
        }
        #expect(rounds.number == 3 && lost?.code == .unavailable && lost?.postgres?.isLostRace == true)
    }
}

/// What a pipeline does.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct PipelineTests {
    private func words() async throws -> PostgresPool {
        let pool = try await TestCluster.emptyDatabase().pool
        try await pool.use { try $0.run("CREATE TABLE words (id bigint PRIMARY KEY, word text)") }
        return pool
    }

    private static func insert(_ id: Int) -> PostgresStatement {
        PostgresStatement("INSERT INTO words VALUES ($1, $2)", [.int8(id), .text(String(repeating: "x", count: 900))])
    }

    @Test("a pipeline gives the rows and the counts of each of its statements")
    func order() async throws {
        let pool = try await words()
        try await pool.use { session in
            #expect(try session.pipeline([]) == [])
            let counts = try session.pipeline((1...5000).map(Self.insert))
            #expect(counts == [Int](repeating: 1, count: 5000))
            var read: [Int] = []
            let found = try session.pipeline([
                PostgresStatement("SELECT id FROM words WHERE id <= $1 ORDER BY id", [.int8(3)]),
                PostgresStatement("DELETE FROM words WHERE id > $1", [.int8(4000)]), Self.insert(9000),
            ]) { index, row in read.append(index * 10_000 + (try row.int(0))) }
            #expect(found == [3, 1000, 1] && read == [1, 2, 3])
        }
    }

    @Test("a pipeline with a failure in its middle leaves nothing, and the session goes on")
    func middle() async throws {
        let pool = try await words()
        let left = try await pool.use { session in
            let error = #expect(throws: PostgresError.self) {
                try session.pipeline([1, 2, 2, 3].map(Self.insert))
            }
            #expect(error?.sqlState == "23505" && error?.isConnectionLost == false)
            return try session.row("SELECT count(*) FROM words") { try $0.int(0) }
        }
        #expect(left == 0)
    }

    @Test("inside a transaction a pipeline's failure fails the transaction")
    func insideTransaction() async throws {
        let pool = try await words()
        await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in
                try session.pipeline([Self.insert(1)])
                try session.pipeline([Self.insert(2), Self.insert(1)])
            }
        }
        #expect(try await pool.use { try $0.row("SELECT count(*) FROM words") { try $0.int(0) } } == 0)
    }

    @Test("what a reader throws comes out once all statements have run, and the session goes on")
    func reader() async throws {
        struct Stop: Error {}
        let pool = try await words()
        try await pool.use { session in
            #expect(throws: Stop.self) {
                try session.pipeline([PostgresStatement("SELECT 1"), Self.insert(1)]) { _, _ in throw Stop() }
            }
            let left = try session.row("SELECT count(*) FROM words") { try $0.int(0) }
            #expect(left == 1)
        }
    }
}

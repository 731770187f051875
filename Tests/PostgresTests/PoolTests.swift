import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// How sessions are shared, limited and given up.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct PoolTests {
    private func pool(size: Int, patienceMilliseconds: Int = 60_000) throws -> PostgresPool {
        PostgresPool(
            try TestCluster.settings(), size: size, patienceMilliseconds: patienceMilliseconds,
            random: TestCluster.random)
    }

    @Test("no more callers are at work than there are sessions, and all have their turn")
    func bound() async throws {
        let pool = try pool(size: 3)
        let (now, most) = (Rounds(), Rounds())
        let processes = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    try await pool.use { session in
                        now.count()
                        most.raise(to: now.number)
                        try session.execute("SELECT pg_sleep(0.005)")
                        now.discount()
                        return session.serverProcess
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(processes.count == 40 && Set(processes).count <= 3 && most.number <= 3)
        await pool.close()
    }

    @Test("a caller who finds every session busy for longer than its patience is told so")
    func patience() async throws {
        let pool = try pool(size: 1, patienceMilliseconds: 50)
        let gate = Gate()
        let holder = Task {
            try await pool.use { _ in
                gate.open(.entered)
                gate.wait(for: .released)
            }
        }
        await gate.opened(.entered)
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.code == .unavailable && error?.message.contains("none of 1 sessions") == true)
        gate.open(.released)
        try await holder.value
        #expect(try await pool.use { $0.serverProcess } > 0)
        await pool.close()
    }

    @Test("a caller who is cancelled while it waits leaves the line")
    func leaving() async throws {
        let pool = try pool(size: 1)
        let gate = Gate()
        let holder = Task {
            try await pool.use { _ in
                gate.open(.entered)
                gate.wait(for: .released)
            }
        }
        await gate.opened(.entered)
        let waiter = Task { try await pool.use { $0.serverProcess } }
        waiter.cancel()
        await #expect(throws: EventStoreError.self) { try await waiter.value }
        gate.open(.released)
        try await holder.value
        await pool.close()
    }

    @Test("a closed pool lets its callers finish and refuses new ones")
    func closing() async throws {
        let pool = try pool(size: 2)
        let gate = Gate()
        let holder = Task {
            try await pool.use { session in
                gate.open(.entered)
                gate.wait(for: .released)
                return try session.row("SELECT 1") { try $0.int(0) }
            }
        }
        await gate.opened(.entered)
        let closing = Task { await pool.close() }
        while (try? await pool.use({ $0.serverProcess })) != nil { await Task.yield() }
        gate.open(.released)
        #expect(try await holder.value == 1)
        await closing.value
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.code == .unavailable)
    }

    @Test("a cancelled caller has the server stop its statement")
    func cancellation() async throws {
        let pool = try pool(size: 1)
        let gate = Gate()
        let marker = "cancelled \(TestCluster.random())"
        let caller = Task {
            try await pool.use { session in
                gate.open(.entered)
                try session.execute("SELECT pg_sleep(600) /* \(marker) */")
            }
        }
        await gate.opened(.entered)
        try await untilActive(marker, 1)
        caller.cancel()
        let error = await #expect(throws: EventStoreError.self) { try await caller.value }
        #expect(error?.code == .unavailable && error?.postgres?.sqlState == "57014")
        try await untilActive(marker, 0)
        #expect(try await pool.use { try $0.row("SELECT 1") { try $0.int(0) } } == 1)
        await pool.close()
    }

    /// Waits until so many statements with a mark run in the server.
    private func untilActive(_ marker: String, _ wanted: Int) async throws {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1"
        let pattern = PostgresValue.text("%sleep(600)%\(marker)%")
        while try await TestCluster.shared.use({ try $0.row(sql, [pattern]) { try $0.int(0) } }) != wanted {
            await Task.yield()
        }
    }

    @Test("a statement that takes too long is stopped, and the session goes on")
    func statementLimit() async throws {
        let pool = try pool(size: 1)
        try await pool.use { session in
            let process = session.serverProcess
            try session.limitStatements(toMilliseconds: 1000)
            let error = #expect(throws: PostgresError.self) { try session.execute("SELECT pg_sleep(600)") }
            #expect(error?.sqlState == "57014" && error?.isConnectionLost == false)
            try session.execute("SELECT 1")
            #expect(session.serverProcess == process)
        }
        let limit = try await pool.use { try $0.row("SHOW statement_timeout") { try $0.text(0) } }
        #expect(limit == "30s")
        await pool.close()
    }

    @Test("a session whose server process was ended while nobody used it is replaced unseen")
    func endedWhileIdle() async throws {
        let pool = try pool(size: 1)
        for _ in 0..<10 {
            let process = try await pool.use { $0.serverProcess }
            try await TestCluster.shared.use { session in
                try session.execute("SELECT pg_terminate_backend($1, 60000)", [.int8(process)])
            }
            #expect(try await pool.use { try $0.row("SELECT pg_backend_pid()") { try $0.int(0) } } != process)
        }
        await pool.close()
    }

    @Test("a server process that is ended under a statement is an outage, in doubt only outside of a transaction")
    func endedUnderUse() async throws {
        let pool = try pool(size: 1)
        let other = try TestCluster.shared
        for isInside in [false, true] {
            let error = await #expect(throws: EventStoreError.self) {
                try await pool.use { session in
                    terminate(session.serverProcess, other)
                    if isInside {
                        try session.transaction { try session.execute("SELECT pg_sleep(600)") }
                    } else {
                        try session.execute("SELECT pg_sleep(600)")
                    }
                }
            }
            let said = try #require(error?.postgres)
            #expect(error?.code == .unavailable && said.isConnectionLost && said.isOutage)
            if isInside { #expect(!said.isOutcomeUnknown) }
            if said.isOutcomeUnknown { #expect(!said.isWorthRepeating) }
        }
        #expect(try await pool.use { try $0.row("SELECT 1") { try $0.int(0) } } == 1)
        await pool.close()
    }
}

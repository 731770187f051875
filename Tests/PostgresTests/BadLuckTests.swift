import EventStore
import Foundation
import PostgresEngine
import TestPostgres
import Testing

/// Connections that break at the worst moment, and clusters that go away.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct BadLuckTests {
    @Test("a commit whose answer was lost is said to be in doubt, and was made", arguments: 1...5)
    func lostCommit(round: Int) async throws {
        let database = try await TestCluster.emptyDatabase()
        try await database.pool.use { try $0.run("CREATE TABLE words (id bigint PRIMARY KEY)") }
        let proxy = try CuttingProxy(before: database.directory)
        let pool = PostgresPool(try database.settings(socket: proxy.directory), size: 2, random: TestCluster.random)
        try await pool.transaction { try $0.execute("INSERT INTO words VALUES (0)") }
        proxy.cut(behind: "COMMIT\0")
        let runs = Rounds()
        let error = await #expect(throws: EventStoreError.self) {
            try await pool.transaction { session in
                runs.count()
                try session.execute("INSERT INTO words VALUES ($1)", [.int8(round)])
            }
        }
        #expect(error?.code == .unavailable && error?.postgres?.isOutcomeUnknown == true && runs.number == 1)
        #expect(error?.postgres?.isWorthRepeating == false && proxy.cuts == 1)
        let there = try await pool.use { try $0.query("SELECT id FROM words ORDER BY id") { try $0.int(0) } }
        #expect(there == [0, round])
        await pool.close()
    }

    @Test("a connection that breaks inside a transaction leaves no doubt: nothing was made")
    func lostInside() async throws {
        let database = try await TestCluster.emptyDatabase()
        try await database.pool.use { try $0.run("CREATE TABLE words (id bigint PRIMARY KEY)") }
        let proxy = try CuttingProxy(before: database.directory)
        let pool = PostgresPool(try database.settings(socket: proxy.directory), size: 1, random: TestCluster.random)
        proxy.cut(behind: "INSERT INTO words")
        let error = await #expect(throws: EventStoreError.self) {
            try await pool.transaction { try $0.execute("INSERT INTO words VALUES (1)") }
        }
        #expect(error?.code == .unavailable && error?.postgres?.isOutcomeUnknown == false)
        #expect(error?.postgres?.isConnectionLost == true && error?.postgres?.isWorthRepeating == true)
        #expect(try await pool.use { try $0.row("SELECT count(*) FROM words") { try $0.int(0) } } == 0)
        await pool.close()
    }

    @Test("a server that accepts and says nothing is given up after the time to connect")
    func silentServer() async throws {
        let silent = try CuttingProxy(before: "/nowhere", isSilent: true)
        var settings = try PostgresSettings(url: "postgresql://m@/m?host=\(silent.directory)")
        settings.connectMilliseconds = 100
        let pool = PostgresPool(settings, random: TestCluster.random)
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.code == .unavailable && error?.postgres?.sqlState == "08001")
        await pool.close()
    }

    @Test("a server that hangs, and does not even hear that it is to stop, is given up after the grace period")
    func hangingServer() async throws {
        let cluster = try await OwnCluster.make()
        var settings = try cluster.database.settings()
        // Longer than the test: what ends the statement is the grace period, and not its own limit.
        settings.statementMilliseconds = 600_000
        let pool = PostgresPool(settings, size: 1, random: TestCluster.random)
        let process = try await pool.use { $0.serverProcess }
        let work = Task { () async -> EventStoreError? in
            do throws(EventStoreError) {
                try await pool.use { try $0.run("SELECT pg_sleep(120)") }
                return nil
            } catch { return error }
        }
        try await Task.sleep(for: .milliseconds(300))
        try cluster.signal(SIGSTOP)
        kill(pid_t(process), SIGSTOP)
        defer {
            kill(pid_t(process), SIGCONT)
            try? cluster.signal(SIGCONT)
        }
        // Whoever waits longer than this is woken, so that a failure does not hang.
        let patience = Task {
            try await Task.sleep(for: .seconds(90))
            kill(pid_t(process), SIGCONT)
            try cluster.signal(SIGCONT)
        }
        let began = ContinuousClock.now
        work.cancel()
        #expect(await work.value?.code == .unavailable)
        #expect(ContinuousClock.now - began < .seconds(60), "it waited for the server to hear")
        patience.cancel()
    }

    @Test("a server that takes no connection is not asked again at once, and callers are told why")
    func backoff() async throws {
        let proxy = try CuttingProxy(before: "/nowhere")
        let settings = try PostgresSettings(url: "postgresql://m@/m?host=\(proxy.directory)")
        let pool = PostgresPool(settings, patienceMilliseconds: 0, random: TestCluster.random)
        for _ in 0..<1000 {
            let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
            #expect(error?.code == .unavailable && error?.postgres?.isConnectionLost == true)
            #expect(error?.postgres?.isOutcomeUnknown == false)
        }
        #expect((1..<500).contains(proxy.connections))
        await pool.close()
    }

    @Test("a database that is not there, and a role that is not, are named")
    func absent() async throws {
        let directory = try #require(TestCluster.directory)
        for (url, state) in [
            ("postgresql://postgres@/nowhere?host=\(directory)", "3D000"),
            ("postgresql://postgres@/postgres?host=/nowhere", "08001"),
        ] {
            let pool = PostgresPool(try PostgresSettings(url: url), random: TestCluster.random)
            let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
            #expect(error?.code == .unavailable && error?.postgres?.sqlState == state)
            #expect(error?.description.contains("nowhere") == true)
            await pool.close()
        }
    }

    @Test("a server that can only be read is not written to: its sessions are refused")
    func readOnly() async throws {
        let database = try await TestCluster.emptyDatabase()
        try await database.pool.use { session in
            try session.run("ALTER DATABASE \(database.name) SET default_transaction_read_only = on")
        }
        let pool = PostgresPool(try database.settings(), random: TestCluster.random)
        let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
        #expect(error?.code == .unavailable && error?.description.contains("read-only") == true)
        await pool.close()
        var settings = try database.settings()
        settings.requiresWriting = false
        let reader = PostgresPool(settings, random: TestCluster.random)
        #expect(try await reader.use { $0.serverProcess } > 0)
        await reader.close()
    }

    @Test("a cluster that stops at once under load loses nothing that was committed, and is found again")
    func stoppedCluster() async throws {
        let cluster = try await OwnCluster.make()
        let pool = PostgresPool(try cluster.database.settings(), size: 4, random: TestCluster.random)
        try await pool.use { try $0.run("CREATE TABLE words (id bigint PRIMARY KEY)") }
        let writers = (0..<4).map { number in Task { await write(pool, from: number) } }
        for _ in 0..<3 {
            try await progress(pool)
            try await cluster.stopAtOnce()
            try await cluster.start()
            try await progress(pool)
        }
        for writer in writers { writer.cancel() }
        var (done, doubtful): (Set<Int>, Set<Int>) = ([], [])
        for writer in writers {
            let written = await writer.value
            done.formUnion(written.done)
            doubtful.formUnion(written.doubtful)
        }
        let there = Set(try await pool.use { try $0.query("SELECT id FROM words") { try $0.int(0) } })
        #expect(done.subtracting(there).isEmpty && there.subtracting(done).isSubset(of: doubtful))
        await pool.close()
    }

    /// Writes every fourth number until it is cancelled; gives those that were written, and those that may be.
    private func write(_ pool: PostgresPool, from first: Int) async -> (done: [Int], doubtful: [Int]) {
        var written: (done: [Int], doubtful: [Int]) = ([], [])
        var next = first
        while !Task.isCancelled {
            let id = next
            do {
                try await pool.transaction { try $0.execute("INSERT INTO words VALUES ($1)", [.int8(id)]) }
                written.done.append(id)
            } catch {
                #expect(error.code == .unavailable)
                if error.postgres?.isOutcomeUnknown == true { written.doubtful.append(id) }
            }
            next += 4
        }
        return written
    }

    /// Waits until a few more rows have been written.
    private func progress(_ pool: PostgresPool) async throws {
        func count() async -> Int? {
            try? await pool.use { try $0.row("SELECT count(*) FROM words") { try $0.int(0) } }
        }
        var first: Int?
        while first == nil { first = await count() }
        while let now = await count(), let first, now < first + 20 { await Task.yield() }
    }

    @Test("a server that stands still is given up, and its pool goes on when it moves again")
    func frozenCluster() async throws {
        let cluster = try await OwnCluster.make()
        var settings = try cluster.database.settings()
        settings.statementMilliseconds = 1000
        let pool = PostgresPool(settings, size: 1, random: TestCluster.random)
        let error = await #expect(throws: EventStoreError.self) {
            try await pool.use { session in
                kill(pid_t(session.serverProcess), SIGSTOP)
                defer { kill(pid_t(session.serverProcess), SIGCONT) }
                try session.execute("SELECT 1")
            }
        }
        #expect(error?.code == .unavailable && error?.postgres?.isConnectionLost == true)
        #expect(try await pool.use { try $0.row("SELECT 1") { try $0.int(0) } } == 1)
        await pool.close()
    }
}

/// Certificates, as another machine would have to show one.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct CertificateTests {
    @Test("a server is believed when its certificate names it and is signed by whom we trust, and not otherwise")
    func certificates() async throws {
        let port = try freePort()
        let cluster = try await OwnCluster.makeWithCertificate(port: port)
        let own = "\(cluster.directory)/data/server.crt"
        let other = try await OwnCluster.makeWithCertificate(port: try freePort())
        let cases = [
            ("localhost", own, true), ("127.0.0.1", own, false),
            ("localhost", "\(other.directory)/data/server.crt", false), ("localhost", "/nowhere", false),
        ]
        for (host, authority, isBelieved) in cases {
            let settings = try PostgresSettings(
                url: "postgresql://postgres@\(host):\(port)/postgres?sslmode=verify-full&sslrootcert=\(authority)")
            let pool = PostgresPool(settings, random: TestCluster.random)
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            if isBelieved {
                #expect(try await pool.use { try $0.row(sql) { try $0.bool(0) } } == true)
            } else {
                let error = await #expect(throws: EventStoreError.self) { try await pool.use { $0.serverProcess } }
                #expect(error?.code == .unavailable && error?.description.contains("certificate") == true)
            }
            await pool.close()
        }
    }

    /// A port of the loopback address that nobody listens on. Linux gives those below 32768 to no outgoing connection,
    /// which could take it until the server listens.
    private func freePort() throws -> Int {
        let port = (20_000..<32_000).shuffled().prefix(100).first { port in
            let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
        return try #require(port)
    }
}

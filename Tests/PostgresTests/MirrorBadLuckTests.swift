import Appointments
import EventStore
import Foundation
import Glibc
import Handlers
import Logging
import PostgresEngine
import Projections
import Replay
import SQLiteEngine
import Synchronization
import TestEngines
import TestPostgres
import Testing

/// A ledger that goes on appending while a pump mirrors it into a cluster of the test's own.
final class Load: Sendable {
    let store: SQLiteEventStore
    let people: PersonResolver
    private let file: SQLiteFile
    private let stop = Stop(alarm: .real)
    private let failures = Mutex<[String]>([])
    private let appended = Atomic<Int>(0)

    init() throws {
        file = try SQLiteFile(path: try ScratchFile().path)
        store = SQLiteEventStore(file)
        people = PersonResolver(
            directory: SQLiteSubjectDirectory(file), keys: try KeyRing(master: Array(repeating: 1, count: 32)))
    }

    /// Runs appender and pump beside some trouble, until the mirror has caught up behind it.
    func run(
        into mirror: PostgresMirror, while trouble: @escaping @Sendable () async throws -> Void
    ) async throws {
        let pump = MirrorPump(
            runner: MirrorRunner(feed: store, store: store, mirror: mirror, people: people), mirror: mirror,
            now: { Samples.noon }, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup { group in
            group.addTask { await pump.run(until: self.stop, batch: 50, appended: self.file.appended) }
            group.addTask {
                while !self.stop.isRequested {
                    await self.append()
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            defer { stop.request() }
            try await trouble()
            // Whatever has happened, it catches up by itself.
            let deadline = ContinuousClock.now.advanced(by: .seconds(300))
            let head = try await store.head()
            while ContinuousClock.now < deadline {
                if let state = try? await mirror.state(), state.position >= head { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await mirror.state().position >= head, "the pump did not catch up by itself")
            stop.request()
            try await group.waitForAll()
        }
        #expect(failures.withLock { $0 } == [], "the mirror's trouble is nobody else's")
        #expect(appended.load(ordering: .relaxed) > 20)
    }

    private func append() async {
        let number = appended.wrappingAdd(1, ordering: .relaxed).newValue
        do {
            let stream = Samples.appointment(number).stream
            _ = try await store.append([Samples.requested(2 * number)], to: stream, expecting: .empty)
            _ = try await store.append([Samples.later(2 * number + 1)], to: stream, expecting: .version(1))
        } catch {
            failures.withLock { $0.append("\(error)") }
        }
    }

    /// The mirror is the store's copy, without a hole, up to the end.
    func expectWhole(_ mirror: PostgresMirror) async throws {
        let runner = MirrorRunner(feed: store, store: store, mirror: mirror, people: people)
        while try await runner.step(now: Samples.noon).events > 0 {}
        let head = try await store.head()
        #expect(try await mirror.state() == MirrorState(position: head, checkpoint: head))
        let report = try await MirrorCheck(feed: store, mirror: mirror, people: people).run()
        #expect(report.isClean, "\(report.findings)")
        #expect(report.events == head)
    }
}

/// How long the trouble takes. `LEDGER_TEST_BAD_LUCK_SECONDS=60` makes each outage a minute, and has sessions ended
/// every second for a minute; it takes a quarter of an hour.
private enum BadLuck {
    private static let seconds = ProcessInfo.processInfo.environment["LEDGER_TEST_BAD_LUCK_SECONDS"].flatMap { Int($0) }
    static let outage: Duration = seconds.map { .seconds($0) } ?? .milliseconds(200)
    static let terminations = seconds ?? 40
    static let pause: Duration = seconds == nil ? .milliseconds(100) : .seconds(1)
    static let minutes = 10 + (seconds ?? 0) / 3
}

@Suite(
    "Whatever happens to PostgreSQL, the ledger goes on and the mirror catches up by itself", .dropsDatabases,
    .timeLimit(.minutes(BadLuck.minutes)),
    .enabled(if: TestCluster.isThere, TestCluster.reason))
struct MirrorBadLuckTests {
    private func mirror(_ cluster: OwnCluster, socket: String? = nil) async throws -> PostgresMirror {
        let database = cluster.database
        _ = try await Migrator(try database.pool, Migrator.steps(of: .ledger)).up()
        return PostgresMirror(
            PostgresPool(try database.settings(socket: socket), size: 2, random: TestCluster.random))
    }

    @Test("the cluster is stopped at once, ten times")
    func stopped() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let mirror = try await mirror(cluster)
        try await load.run(into: mirror) {
            for _ in 0..<10 {
                try await Task.sleep(for: .milliseconds(300))
                try await cluster.stopAtOnce()
                try await Task.sleep(for: BadLuck.outage)
                try await cluster.start()
            }
        }
        try await load.expectWhole(mirror)
    }

    @Test("its sessions are ended again and again, mostly in the middle of their work")
    func terminated() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let mirror = try await mirror(cluster)
        let pool = try cluster.database.pool
        try await load.run(into: mirror) {
            for _ in 0..<BadLuck.terminations {
                try await Task.sleep(for: BadLuck.pause)
                let process = try? await pool.use { session in
                    try session.row(
                        """
                        SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'
                            AND pid <> pg_backend_pid() ORDER BY state = 'active' DESC, state LIMIT 1
                        """
                    ) { try $0.int(0) }
                }
                guard let process = process ?? nil else { continue }
                _ = try? await pool.use { try $0.row("SELECT pg_terminate_backend(\(process))") { try $0.bool(0) } }
            }
        }
        try await load.expectWhole(mirror)
    }

    @Test("its server process is killed inside a COPY")
    func killed() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let mirror = try await mirror(cluster)
        let pool = try cluster.database.pool
        // Held up behind the first entry of a batch, and so found inside the COPY by whoever looks.
        try await pool.use { session in
            try session.run(
                """
                CREATE TABLE ledger.delay (seconds double precision);
                INSERT INTO ledger.delay VALUES (0);
                CREATE FUNCTION ledger.dawdle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                BEGIN
                    PERFORM pg_sleep(seconds) FROM ledger.delay WHERE seconds > 0;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER dawdle BEFORE INSERT ON ledger.entries FOR EACH ROW EXECUTE FUNCTION ledger.dawdle()
                """)
        }
        let killed = Atomic<Int>(0)
        // The server ends all its sessions and recovers: it answers when it can again.
        @Sendable func delay(_ seconds: Double) async throws {
            let update = "UPDATE ledger.delay SET seconds = \(seconds)"
            while (try? await pool.use({ try $0.execute(update) })) == nil {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try await load.run(into: mirror) {
            for _ in 0..<3 {
                try await delay(0.2)
                var process: Int?
                while process == nil {
                    try await Task.sleep(for: .milliseconds(5))
                    let found = try? await pool.use { session in
                        try session.row(
                            """
                            SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active'
                                AND query LIKE 'COPY ledger.entries%' AND wait_event = 'PgSleep' LIMIT 1
                            """
                        ) { try $0.int(0) }
                    }
                    process = found ?? nil
                }
                kill(pid_t(process ?? 0), SIGKILL)
                killed.add(1, ordering: .relaxed)
                try await delay(0)
            }
        }
        #expect(killed.load(ordering: .relaxed) == 3)
        try await load.expectWhole(mirror)
    }

    @Test("the connection is cut exactly behind COMMIT, before the answer comes back")
    func cut() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let proxy = try CuttingProxy(before: cluster.directory)
        let mirror = try await mirror(cluster, socket: proxy.directory)
        try await load.run(into: mirror) {
            for round in 1...8 {
                proxy.cut(behind: "COMMIT\0")
                while proxy.cuts < round { try await Task.sleep(for: .milliseconds(20)) }
            }
        }
        #expect(proxy.cuts == 8)
        try await load.expectWhole(mirror)
    }

    @Test("an old copy of the cluster is put back")
    func restored() async throws {
        let (cluster, load) = (try await OwnCluster.make(), try Load())
        let mirror = try await mirror(cluster)
        let data = URL(fileURLWithPath: cluster.directory).appending(path: "data").path
        @Sendable func shell(_ command: String) throws {
            let pipe = try #require(popen(command, "r"))
            #expect(pclose(pipe) == 0, "\(command)")
        }
        try await load.run(into: mirror) {
            try await Task.sleep(for: .milliseconds(500))
            try await cluster.stopAtOnce()
            try shell("cp -a '\(data)' '\(data).old'")
            try await cluster.start()
            try await Task.sleep(for: .milliseconds(1500))
            try await cluster.stopAtOnce()
            try shell("rm -r '\(data)' && mv '\(data).old' '\(data)'")
            try await cluster.start()
        }
        try await load.expectWhole(mirror)
    }
}

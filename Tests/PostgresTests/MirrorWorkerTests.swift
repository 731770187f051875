import EventStore
import Handlers
import HostSystem
import Logging
import MemoryEngine
import PostgresEngine
import Projections
import Synchronization
import TestEngines
import TestPostgres
import Testing

/// What was logged.
private final class Lines: Sendable {
    let all = Mutex<[String]>([])
}

/// A feed of which something happens behind each look at it.
private final class MovingFeed: EventFeed {
    private let store: MemoryEventStore
    /// The last position that it gives out.
    private let end: Int
    private let move: @Sendable (Int) async throws -> Void
    let looks = Atomic<Int>(0)

    init(_ store: MemoryEventStore, end: Int = .max, move: @escaping @Sendable (Int) async throws -> Void) {
        (self.store, self.end, self.move) = (store, end, move)
    }

    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        let events = try await store.events(after: position, limit: max(min(limit, end - position), 0))
        do {
            if looks.add(1, ordering: .relaxed).newValue > 200 {
                throw EventStoreError(.invalid, message: "it has been looked at 200 times: nothing comes to an end")
            }
            try await move(limit)
        } catch { throw EventStoreError(.invalid, message: "what was to happen meanwhile failed", cause: error) }
        return events
    }

    func head() async throws(EventStoreError) -> Int { try await store.head() }
}

/// A directory that something happens at each look at.
private struct MovingDirectory: SubjectDirectory {
    let move: @Sendable () -> Void

    func subject(of person: PersonName) async throws(EventStoreError) -> Subject? { nil }

    func subject(_ id: Identifier) async throws(EventStoreError) -> Subject? {
        move()
        return nil
    }

    func add(_ subject: Subject) async throws(EventStoreError) -> Subject { subject }
}

@Suite("Whoever moves a mirror meanwhile, its workers come to an end and tell what is wrong", .dropsDatabases)
struct MirrorWorkerTests {
    private let now = Samples.noon
    private let histories = Histories()

    private func runner(_ feed: any EventFeed, into mirror: any MirrorStore) throws -> MirrorRunner {
        MirrorRunner(
            feed: feed, store: histories.store, mirror: mirror,
            people: PersonResolver(
                directory: MemorySubjectDirectory(), keys: try KeyRing(master: Array(repeating: 1, count: 32))))
    }

    /// Appends an event of a new appointment, and has another worker take it in.
    private func moving(_ mirror: any MirrorStore) throws -> @Sendable () async throws -> Void {
        let number = Mutex(100)
        let (histories, now) = (histories, now)
        let runner = try histories.runner(into: mirror)
        return {
            let next = number.withLock { number in
                number += 1
                return number
            }
            try await histories.append(1, to: next)
            while try await runner.step(now: now, limit: 5).events > 0 {}
        }
    }

    @Test("a backfill passes over what the mirror has while others move it", arguments: MirrorEngine.available)
    func held(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        for number in 1...5 { try await histories.append(3, to: number) }
        let move = try moving(mirror)
        try await move()
        let feed = MovingFeed(histories.store, end: 15) { _ in try await move() }
        try await runner(feed, into: mirror).backfill(now: now, limit: 4)
        #expect(feed.looks.load(ordering: .relaxed) == 5)
    }

    @Test(
        "a backfill whose batches others are always faster than takes smaller ones", arguments: MirrorEngine.available)
    func smaller(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        for number in 1...50 { try await histories.append(3, to: number) }
        // It holds nothing, and believes to have read all.
        #expect(
            try await mirror.append(
                MirrorBatch(checkpoint: 150), expecting: MirrorState(position: 0, checkpoint: 0)))
        let move = try moving(mirror)
        let feed = MovingFeed(histories.store, end: 150) { limit in if limit > 20 { try await move() } }
        try await runner(feed, into: mirror).backfill(now: now, limit: 100)
        let places = try await histories.store.events(after: 0, limit: 150).map(\.place)
        #expect(try await mirror.entries(at: places).count == 150)
    }

    @Test("a mirror that is put back to an old copy while a worker compares gets all that it lost")
    func putBack() async throws {
        let mirror = MemoryMirror()
        try await histories.append(2, to: 1)
        let other = try histories.runner(into: mirror)
        _ = try await other.step(now: now)
        let copy = mirror.contents
        try await histories.append(2, to: 2)
        // The worker reads where the mirror stands; another takes in what it is to take in; it finds all of that held;
        // and then the mirror is put back to where it stood.
        let feed = MovingFeed(histories.store) { _ in _ = try await other.step(now: Samples.noon) }
        let worker = MirrorRunner(
            feed: feed, store: histories.store, mirror: mirror,
            people: PersonResolver(
                directory: MovingDirectory { mirror.restore(copy) },
                keys: try KeyRing(master: Array(repeating: 1, count: 32))))
        _ = try await worker.step(now: now)
        #expect(try await mirror.state() == MirrorState(position: 2, checkpoint: 2))
        while try await other.step(now: now).events > 0 {}
        #expect(try await mirror.state() == MirrorState(position: 4, checkpoint: 4))
    }

    @Test("a pump that always has something to do tells of conflicts as they come", arguments: MirrorEngine.available)
    func steady(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        let forger = Histories()
        try await forger.append(1, to: 1)
        let forged = try await forger.append(1, to: 1, topic: "elsewhere")
        try await forger.runner(into: mirror).take(in: forged, now: now)
        // The feed has another event in that place, at position 3, and then never comes to its end.
        try await histories.append(1, to: 1)
        try await histories.append(1, to: 2)
        try await histories.append(1, to: 1)
        let (lines, stop) = (Lines(), Stop(alarm: .real))
        let number = Atomic<Int>(10)
        let logger = Logger(label: "test") { _ in
            JSONLogHandler(service: "test", logLevel: .trace, now: { Samples.noon }) { line in
                lines.all.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
                stop.request()
            }
        }
        let feed = MovingFeed(histories.store) { [histories] _ in
            if number.load(ordering: .relaxed) > 60 { stop.request() }
            try await histories.append(1, to: number.add(1, ordering: .relaxed).newValue)
        }
        let pump = MirrorPump(
            runner: try runner(feed, into: mirror), mirror: mirror, now: { Samples.noon }, logger: logger)
        await pump.run(until: stop, appended: Doorbell(alarm: .real))
        #expect(number.load(ordering: .relaxed) < 20)
        let told = lines.all.withLock { $0 }
        #expect(told.count == 1 && told[0].contains("contradict") && told[0].contains("ERROR"), "\(told)")
    }

    @Test("what no waiting helps against is no outage to a pump")
    func damagedFeed() async throws {
        let (lines, stop) = (Lines(), Stop(alarm: .real))
        let logger = Logger(label: "test") { _ in
            JSONLogHandler(service: "test", logLevel: .trace, now: { Samples.noon }) { line in
                lines.all.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
                stop.request()
            }
        }
        let feed = MovingFeed(histories.store) { _ in throw EventStoreError(.corrupt, message: "it is damaged") }
        let mirror = MemoryMirror()
        let pump = MirrorPump(
            runner: try runner(feed, into: mirror), mirror: mirror, now: { Samples.noon }, logger: logger)
        await pump.run(until: stop, appended: Doorbell(alarm: .real))
        let told = lines.all.withLock { $0 }
        #expect(told.count == 1 && told[0].contains("stands still") && !told[0].contains("waits"), "\(told)")
    }

    @Test(
        "a mirror that lost its head row is damaged, and does not pass for one that is away",
        .enabled(if: TestCluster.isThere, TestCluster.reason))
    func lostHead() async throws {
        let database = try await TestCluster.database(.ledger)
        try await database.pool.use { session in
            try session.run("ALTER TABLE ledger.head DISABLE TRIGGER ALL; DELETE FROM ledger.head")
        }
        let status = try await MirrorStatus.read(
            PostgresMirror(try database.login("ledger_mirror")), following: histories.store, now: now)
        #expect(status.progress == nil && status.answers)
        #expect(status.damage?.contains("head row") == true)
        let nobody = PostgresMirror(
            PostgresPool(try PostgresSettings(url: "postgresql://me@127.0.0.1:1/none"), random: TestCluster.random))
        let away = try await MirrorStatus.read(nobody, following: histories.store, now: now)
        #expect(!away.answers && away.damage == nil)
    }
}

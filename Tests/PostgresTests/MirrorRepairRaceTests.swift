import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import Synchronization
import TestEngines
import TestPostgres
import Testing

@Suite(
    "A repair beside a worker takes away nothing that the worker takes in", .dropsDatabases,
    .enabled(if: TestCluster.isThere, TestCluster.reason))
struct MirrorRepairRaceTests {
    private let histories = Histories()
    private let people: PersonResolver
    private let mirror: PostgresMirror
    private let database: TestDatabase

    init() async throws {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        people = PersonResolver(directory: MemorySubjectDirectory(), keys: keys)
        database = try await TestCluster.database(.ledger)
        mirror = PostgresMirror(try database.pool)
    }

    private func follow() async throws {
        let runner = try histories.runner(into: mirror)
        while try await runner.step(now: Samples.noon).events > 0 {}
    }

    private func expectWhole() async throws {
        try await follow()
        let report = try await MirrorCheck(feed: histories.store, mirror: mirror, people: people, batch: 5).run()
        #expect(report.isClean, "\(report.findings)")
        let head = try await histories.store.head()
        #expect(try await mirror.state() == MirrorState(position: head, checkpoint: head))
    }

    @Test("entries and rows that come while it looks stay")
    func between() async throws {
        for number in 1...4 { try await histories.append(3, to: number) }
        try await follow()
        let number = Atomic<Int>(4)
        // Each look of the repair at the store finds a worker that has just taken in one more event of the first
        // appointment, and a new appointment.
        let source = MovingStore(store: histories.store) { round in
            guard round < 6 else { return }
            try await histories.append(1, to: 1)
            try await histories.append(2, to: number.add(1, ordering: .relaxed).newValue)
            try await follow()
        }
        let repair = MirrorRepair(feed: source, scan: source, mirror: mirror, people: people, batch: 5)
        let outcome = try await repair.run(isDry: false) { _ in }
        #expect(outcome.isEmpty, "\(outcome)")
        #expect(number.load(ordering: .relaxed) > 10)
        try await expectWhole()
    }

    @Test("what is damaged is mended under it as well")
    func damaged() async throws {
        for number in 1...4 { try await histories.append(3, to: number) }
        try await follow()
        try await database.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.entries DISABLE TRIGGER USER;
                UPDATE ledger.entries SET actor = 'key:me' WHERE position IN (3, 12);
                DELETE FROM ledger.entries WHERE position = 7;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes;
                INSERT INTO ledger.entries
                SELECT 13, at, gen_random_uuid(), gen_random_uuid(), 1, type, country, actor, correlation, leaf, NULL,
                    entry, sealed
                FROM ledger.entries WHERE position = 1;
                UPDATE ledger.appointments SET country = 'CL'
                """)
        }
        let source = MovingStore(store: histories.store) { round in
            guard round < 6 else { return }
            try await histories.append(1, to: 1 + round % 4)
            try await follow()
        }
        let repair = MirrorRepair(feed: source, scan: source, mirror: mirror, people: people, batch: 5)
        let outcome = try await repair.run(isDry: false) { _ in }
        #expect(outcome.entries.values.reduce(0, +) >= 4 && outcome.rows == 4, "\(outcome)")
        try await expectWhole()
    }
}

/// A store in which something happens behind each look at it.
private final class MovingStore: EventFeed, StreamScan {
    private let store: MemoryEventStore
    private let move: @Sendable (Int) async throws -> Void
    private let feedRound = Atomic<Int>(0)
    private let scanRound = Atomic<Int>(0)

    init(store: MemoryEventStore, move: @escaping @Sendable (Int) async throws -> Void) {
        (self.store, self.move) = (store, move)
    }

    /// - Parameter round: how often it was looked at so before.
    private func moving<Value>(_ value: Value, _ round: Int) async throws(EventStoreError) -> Value {
        do { try await move(round) } catch {
            throw EventStoreError(.invalid, message: "what was to happen meanwhile failed", cause: error)
        }
        return value
    }

    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await moving(
            try await store.events(after: position, limit: limit), feedRound.add(1, ordering: .relaxed).oldValue)
    }

    func head() async throws(EventStoreError) -> Int { try await store.head() }

    func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        try await store.range(after: stream, events: events)
    }

    func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        try await moving(
            try await store.events(in: range), scanRound.add(1, ordering: .relaxed).oldValue)
    }
}

import Appointments
import EventStore
import PostgresEngine
import Projections
import Replay
import SQLiteEngine
import TestEngines
import TestPostgres
import Testing

/// A ledger in SQLite with a mirror in PostgreSQL, as a server has them.
private struct Mirrored {
    let store: SQLiteEventStore
    let database: TestDatabase
    let mirror: PostgresMirror
    let runner: MirrorRunner

    init() async throws {
        let file = try SQLiteFile(path: try ScratchFile().path)
        store = SQLiteEventStore(file)
        database = try await TestCluster.database(.ledger)
        mirror = PostgresMirror(try database.login("ledger_mirror"))
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        runner = MirrorRunner(
            feed: store, store: store, mirror: mirror,
            people: PersonResolver(directory: SQLiteSubjectDirectory(file), keys: keys))
    }

    var log: MirroredLog { MirroredLog(mirror: mirror, store: store) }

    /// Appends some histories, in an order that mixes their events.
    func fill(_ numbers: ClosedRange<Int>) async throws {
        for number in numbers {
            let country: Country = number.isMultiple(of: 3) ? .chile : .peru
            _ = try await store.append(
                [
                    Samples.requested(
                        1000 * number, at: Samples.noon.adding(milliseconds: Int64(number)), country: country,
                        actor: "key:\(number % 2)", correlation: "c-\(number % 5)")
                ], to: Samples.appointment(number).stream, expecting: .empty)
        }
        for number in numbers where number.isMultiple(of: 2) {
            _ = try await store.append(
                [Samples.later(1000 * number + 1, at: Samples.noon.adding(milliseconds: Int64(number) * 2))],
                to: Samples.appointment(number).stream, expecting: .version(1))
        }
    }

    func mirrorAll() async throws { while try await runner.step(now: Samples.noon, limit: 7).events > 0 {} }

    /// Questions of every kind, and some that nothing answers.
    static var filters: [EventFilter] {
        let streams = Set([2, 3, 500].map { Samples.appointment($0).stream })
        let at = { (offset: Int64) in Samples.noon.adding(milliseconds: offset) }
        return [
            EventFilter(), EventFilter(type: "routed"), EventFilter(country: "CL"), EventFilter(streams: streams),
            EventFilter(streams: []), EventFilter(actor: "key:1"), EventFilter(correlation: "c-3"),
            EventFilter(from: at(20)), EventFilter(to: at(20)), EventFilter(from: at(10), to: at(30)),
            EventFilter(from: at(100_000)), EventFilter(to: at(-1)), EventFilter(type: "none"),
            EventFilter(type: "requested", country: "PE", actor: "key:0", correlation: "c-2", from: at(1), to: at(40)),
            EventFilter(type: "routed", country: "CL", streams: streams, from: at(0)),
        ]
    }
}

@Suite(
    "Auditors get the same events from the mirror and from the store", .dropsDatabases,
    .enabled(if: TestCluster.isThere, TestCluster.reason))
struct MirroredLogTests {
    private func expectSame(_ log: any AuditLog & StreamReader, _ store: SQLiteEventStore) async throws {
        for filter in Mirrored.filters {
            for (after, limit) in [(0, 1000), (0, 5), (13, 4), (59, 10), (1000, 3), (0, 0)] {
                let (ours, theirs) = (
                    try await log.events(matching: filter, after: after, limit: limit),
                    try await store.events(matching: filter, after: after, limit: limit)
                )
                #expect(ours.map(\.position) == theirs.map(\.position), "\(filter) \(after) \(limit)")
                #expect(ours.map(\.entry.bytes) == theirs.map(\.entry.bytes))
            }
        }
        for number in [1, 2, 500] {
            for version in 1...3 {
                let stream = Samples.appointment(number).stream
                #expect(
                    try await log.read(stream, from: version).map(\.leaf)
                        == store.read(stream, from: version).map(\.leaf))
            }
        }
        #expect(try await log.counts() == store.counts())
    }

    @Test("whatever they ask for, page by page")
    func same() async throws {
        let ledger = try await Mirrored()
        try await ledger.fill(1...40)
        try await ledger.mirrorAll()
        #expect(try await ledger.mirror.state() == MirrorState(position: 60, checkpoint: 60))
        try await expectSame(ledger.mirror, ledger.store)
        try await expectSame(ledger.log, ledger.store)
    }

    @Test("while the mirror is behind, the rest comes from the store")
    func behind() async throws {
        let ledger = try await Mirrored()
        try await ledger.fill(1...20)
        try await ledger.mirrorAll()
        try await ledger.fill(21...40)
        #expect(try await ledger.mirror.state().position == 30)
        try await expectSame(ledger.log, ledger.store)
    }

    @Test("while the mirror does not answer, all comes from the store")
    func away() async throws {
        let ledger = try await Mirrored()
        try await ledger.fill(1...20)
        let nobody = PostgresMirror(
            PostgresPool(try PostgresSettings(url: "postgresql://me@127.0.0.1:1/none"), random: TestCluster.random))
        #expect(await failure { try await nobody.state() } == .unavailable)
        try await expectSame(MirroredLog(mirror: nobody, store: ledger.store), ledger.store)
    }

    @Test("an appointment of which the mirror lost an event in between comes from the store")
    func lost() async throws {
        let ledger = try await Mirrored()
        try await ledger.fill(1...4)
        let stream = Samples.appointment(2).stream
        for version in 2...3 {
            _ = try await ledger.store.append(
                [Samples.later(9000 + version)], to: stream, expecting: .version(version))
        }
        try await ledger.mirrorAll()
        try await ledger.database.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.entries DISABLE TRIGGER USER;
                DELETE FROM ledger.entries WHERE stream = '\(stream.appointment)' AND version = 2
                """)
        }
        for version in 1...4 {
            #expect(
                try await ledger.log.read(stream, from: version).map(\.leaf)
                    == ledger.store.read(stream, from: version).map(\.leaf))
        }
    }
}

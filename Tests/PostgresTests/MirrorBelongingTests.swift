import Appointments
import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import TestEngines
import TestPostgres
import Testing

@Suite("A mirror belongs to one ledger and one past of it", .dropsDatabases)
struct MirrorBelongingTests {
    private let now = Samples.noon
    private let ours = LedgerIdentity(id: Samples.id(900), epoch: 1)

    private func runner(_ histories: Histories, _ mirror: any MirrorStore, _ identity: LedgerIdentity) throws
        -> MirrorRunner
    {
        MirrorRunner(
            feed: histories.store, store: histories.store, mirror: mirror,
            people: PersonResolver(
                directory: MemorySubjectDirectory(), keys: try KeyRing(master: Array(repeating: 1, count: 32))),
            identity: identity)
    }

    /// A ledger with ten events, all of them in a mirror of its own.
    private func filled(_ mirror: AnyMirror) async throws -> Histories {
        let histories = Histories()
        for number in 1...5 { try await histories.append(2, to: number) }
        #expect(try await runner(histories, mirror, ours).step(now: now).events == 10)
        return histories
    }

    private func standing(_ mirror: AnyMirror, _ histories: Histories, _ identity: LedgerIdentity) async throws
        -> MirrorStanding
    {
        try await MirrorGate(mirror, of: identity, store: histories.store).standing(
            try await mirror.state(), feed: histories.store)
    }

    @Test("the first that writes to it claims it, and another ledger is refused", arguments: MirrorEngine.available)
    func claims(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        let histories = try await filled(mirror)
        #expect(try await mirror.state() == MirrorState(position: 10, checkpoint: 10, owner: ours))
        let other = LedgerIdentity(id: Samples.id(901), epoch: 1)
        #expect(try await standing(mirror, histories, other) == .otherLedger(ours))
        let strange = try runner(histories, mirror, other)
        #expect(await failure { try await strange.step(now: now) } == .invalid)
        #expect(await failure { try await strange.backfill(now: now) } == .invalid)
        #expect(await failure { try await strange.take(in: histories.append(1, to: 9), now: now) } == .invalid)
        let state = try await mirror.state()
        #expect(await failure { try await mirror.claim(for: other, expecting: state) } != nil)
        #expect(try await mirror.claim(for: ours, expecting: MirrorState(position: 9, checkpoint: 9)) == false)
        #expect(try await mirror.state() == MirrorState(position: 10, checkpoint: 10, owner: ours))
    }

    @Test("one that belongs to none is claimed only if the ledger has its entries", arguments: MirrorEngine.available)
    func unclaimed(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        let histories = Histories()
        try await histories.append(3, to: 1)
        while try await histories.runner(into: mirror).step(now: now).events > 0 {}
        #expect(try await mirror.state().owner == nil)
        let strangers = Histories()
        try await strangers.append(4, to: 2)
        #expect(try await standing(mirror, strangers, ours) == .otherLedger(nil))
        #expect(await failure { try await runner(strangers, mirror, ours).step(now: now) } == .invalid)
        #expect(try await standing(mirror, histories, ours) == .unclaimed)
        _ = try await runner(histories, mirror, ours).step(now: now)
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 3, owner: ours))
    }

    @Test(
        "a mirror with what the ledger lost is ahead: not followed, and not answered from",
        arguments: MirrorEngine.available)
    func ahead(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        _ = try await filled(mirror)
        let putBack = Histories()
        for number in 1...2 { try await putBack.append(2, to: number) }
        // By its place, and once the ledger is longer than the mirror by its last entry.
        for _ in 1...2 {
            #expect(try await standing(mirror, putBack, ours) == .ahead)
            #expect(await failure { try await runner(putBack, mirror, ours).step(now: now) } == .invalid)
            let log = MirroredLog(mirror: mirror, store: putBack.store, identity: ours)
            let all = try await log.events(matching: EventFilter(), after: 0, limit: 100)
            #expect(all.map(\.leaf) == putBack.store.eventsNow(after: 0, limit: 100).map(\.leaf))
            #expect(try await log.read(Samples.appointment(4).stream).isEmpty)
            let status = try await MirrorStatus.read(
                mirror, through: MirrorGate(mirror, of: ours, store: putBack.store), following: putBack.store, now: now)
            #expect(status.progress?.lag == nil && !status.isUpToDate)
            #expect(status.progress?.ahead == max(10 - putBack.store.headNow, 0))
            try await putBack.append(12, to: 20)
        }
        #expect(try await mirror.state().position == 10)
    }

    @Test("a mirror of another epoch waits until it is taken over", arguments: MirrorEngine.available)
    func epochs(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        let histories = try await filled(mirror)
        #expect(try await standing(mirror, histories, ours.next) == .otherEpoch(ours))
        let next = try runner(histories, mirror, ours.next)
        #expect(await failure { try await next.step(now: now) } == .invalid)
        let past = try await CommonPast.find(mirror, histories.store, batch: 3)
        #expect(past.isWhole && past.position == 10)
        #expect(try await mirror.claim(for: ours.next, expecting: try await mirror.state()))
        #expect(try await next.step(now: now).events == 0)
    }

    @Test("a rewind keeps what it moves out, and the mirror follows again", arguments: MirrorEngine.available)
    func rewind(engine: MirrorEngine) async throws {
        let mirror = try await engine.makeOwned()
        _ = try await filled(mirror)
        let putBack = Histories()
        for number in 1...2 { try await putBack.append(2, to: number) }
        try await putBack.append(3, to: 7)
        let past = try await CommonPast.find(mirror, putBack.store, batch: 3)
        #expect(!past.isWhole && past.position == 4 && past.ledger == 7)
        let state = try await mirror.state()
        #expect(
            try await mirror.rewind(to: 4, for: ours.next, expecting: MirrorState(position: 1, checkpoint: 1)) == nil)
        #expect(try await mirror.rewind(to: 4, for: ours.next, expecting: state) == 6)
        #expect(try await mirror.state() == MirrorState(position: 4, checkpoint: 4, owner: ours.next))
        let next = try runner(putBack, mirror, ours.next)
        while try await next.step(now: now).events > 0 {}
        let people = PersonResolver(
            directory: MemorySubjectDirectory(), keys: try KeyRing(master: Array(repeating: 1, count: 32)))
        #expect(try await MirrorCheck(feed: putBack.store, mirror: mirror, people: people).run().isClean)
        if let memory = mirror as? MemoryMirror { #expect(memory.contents.setAside.count == 6) }
    }

    @Test(
        "what a rewind moves out stands in a table that nobody changes",
        .enabled(if: TestCluster.isThere, TestCluster.reason))
    func setAside() async throws {
        let database = try await TestCluster.database(.ledger)
        let mirror = PostgresMirror(try database.login("ledger_mirror"))
        _ = try await filled(mirror)
        let state = try await mirror.state()
        #expect(await failure { try await mirror.rewind(to: 4, for: ours.next, expecting: state) } == .invalid)
        #expect(
            try await PostgresMirror(try database.pool).rewind(to: 4, for: ours.next, expecting: state) == 6)
        let kept = try await database.login("ledger_mirror").use { session in
            try session.query("SELECT position, epoch FROM ledger.set_aside ORDER BY id") {
                [try $0.int(0), try $0.int(1)]
            }
        }
        #expect(kept == (5...10).map { [$0, 1] })
        for statement in ["DELETE FROM ledger.set_aside", "UPDATE ledger.set_aside SET position = 1"] {
            #expect(await failure { try await database.pool.use { try $0.run(statement) } } != nil)
        }
    }

    @Test("a checkpoint that was moved ahead is named, and set back by a backfill", arguments: MirrorEngine.available)
    func misplaced(engine: MirrorEngine) async throws {
        let mirror = try await engine.make()
        let histories = try await filled(mirror)
        for far in [12, 999_999] {
            let state = try await mirror.state()
            #expect(try await mirror.append(MirrorBatch(checkpoint: far), expecting: state))
            try await histories.append(1, to: 1)
            #expect(try await standing(mirror, histories, ours) == .misplaced)
            let runner = try runner(histories, mirror, ours)
            #expect(await failure { try await runner.step(now: now) } == .invalid)
            let found = try await MirrorCheck(feed: histories.store, mirror: mirror, people: nil).run()
            #expect(found.findings.contains { $0.kind == .mirrorCheckpointAhead })
            try await runner.backfill(now: now, limit: 4)
            let head = histories.store.headNow
            #expect(try await mirror.state() == MirrorState(position: head, checkpoint: head, owner: ours))
            #expect(try await runner.step(now: now).events == 0)
        }
    }
}

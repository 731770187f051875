import Projections
import TestEngines
import Testing

@Suite("The contract of ConsumerStore")
struct ConsumerStoreContract {
    private let name = ProjectionRunner.projection

    private func parked(_ number: Int, version: Int, reason: String = "r") -> ParkedEvent {
        ParkedEvent(appointment: Samples.appointment(number), version: version, reason: reason, at: Samples.noon)
    }

    private func park(_ events: [ParkedEvent], in ledger: TestEngine) async throws {
        let checkpoint = try await ledger.projections.checkpoint(of: name)
        var commit = ProjectionCommit(checkpoint: checkpoint + 1)
        commit.parked = events
        #expect(try await ledger.projections.commit(commit, of: name, expecting: checkpoint))
    }

    @Test("a checkpoint begins at 0 and moves with its commit", arguments: Engine.ofStores)
    func checkpoint(engine: Engine) async throws {
        let projections = try await engine.make().projections
        #expect(try await projections.checkpoint(of: name) == 0)
        #expect(try await projections.commit(ProjectionCommit(checkpoint: 7), of: name, expecting: 0))
        #expect(try await projections.checkpoint(of: name) == 7)
    }

    @Test("a worker whose checkpoint was moved by another writes nothing", arguments: Engine.ofStores)
    func lostRace(engine: Engine) async throws {
        let ledger = try await engine.make()
        #expect(try await ledger.projections.commit(ProjectionCommit(checkpoint: 7), of: name, expecting: 0))
        var commit = ProjectionCommit(checkpoint: 9)
        commit.rows = [try Samples.row(1)]
        commit.parked = [parked(1, version: 2)]
        #expect(try await ledger.projections.commit(commit, of: name, expecting: 0) == false)
        #expect(try await ledger.projections.checkpoint(of: name) == 7)
        #expect(try await ledger.views.row(Samples.appointment(1)) == nil)
        #expect(try await ledger.projections.parked(by: name).isEmpty)
    }

    @Test("of many workers at one checkpoint one commits", arguments: Engine.ofStores)
    func race(engine: Engine) async throws {
        let projections = try await engine.make().projections
        let name = name
        let committed = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await projections.commit(ProjectionCommit(checkpoint: 5), of: name, expecting: 0)
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(committed == 1)
    }

    @Test("projections have checkpoints and parked events of their own", arguments: Engine.ofStores)
    func ownCheckpoints(engine: Engine) async throws {
        let projections = try await engine.make().projections
        let (router, next) = (ConsumerName("router", number: 1), ConsumerName(name.name, number: name.number + 1))
        var commit = ProjectionCommit(checkpoint: 3)
        commit.parked = [parked(1, version: 2)]
        #expect(try await projections.commit(commit, of: router, expecting: 0))
        #expect(try await projections.checkpoint(of: router) == 3)
        #expect(try await projections.checkpoint(of: next) == 0)
        #expect(try await projections.checkpoint(of: name) == 0)
        #expect(try await projections.parked(by: name).isEmpty)
    }

    @Test("the first parked event of each appointment is shown, by id", arguments: Engine.ofStores)
    func firstParked(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await park([parked(2, version: 3, reason: "waits"), parked(2, version: 2, reason: "broken")], in: ledger)
        try await park([parked(1, version: 1), parked(2, version: 4)], in: ledger)
        #expect(
            try await ledger.projections.parked(by: name)
                == [parked(1, version: 1), parked(2, version: 2, reason: "broken")])
    }

    @Test("an event that is parked again keeps its first reason", arguments: Engine.ofStores)
    func parkedTwice(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await park([parked(1, version: 2, reason: "broken")], in: ledger)
        try await park([parked(1, version: 2, reason: "again")], in: ledger)
        #expect(try await ledger.projections.parked(by: name) == [parked(1, version: 2, reason: "broken")])
    }

    @Test("unparking takes away the parked events of one appointment", arguments: Engine.ofStores)
    func unpark(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await park([parked(1, version: 2), parked(1, version: 3), parked(2, version: 1)], in: ledger)
        try await ledger.projections.unpark(Samples.appointment(1), upTo: 3, from: name)
        try await ledger.projections.unpark(Samples.appointment(1), upTo: 3, from: name)
        #expect(try await ledger.projections.parked(by: name) == [parked(2, version: 1)])
    }

    @Test("unparking leaves what was parked meanwhile", arguments: Engine.ofStores)
    func unparkEarlier(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await park([parked(1, version: 2), parked(1, version: 3), parked(1, version: 4)], in: ledger)
        try await ledger.projections.unpark(Samples.appointment(1), upTo: 3, from: name)
        #expect(try await ledger.projections.parked(by: name) == [parked(1, version: 4)])
    }

    @Test("a row that comes late does not take the place of a later one", arguments: Engine.ofStores)
    func lateRow(engine: Engine) async throws {
        let ledger = try await engine.make()
        let early = try Samples.row(1)
        var late = early
        late.version = early.version + 2
        try await ledger.projections.put([late], parking: [parked(2, version: 1)], by: name)
        try await ledger.projections.put([early], parking: [], by: name)
        #expect(try await ledger.views.row(early.appointment)?.version == late.version)
        var commit = ProjectionCommit(checkpoint: 7)
        commit.rows = [early]
        #expect(try await ledger.projections.commit(commit, of: name, expecting: 0))
        #expect(try await ledger.views.row(early.appointment)?.version == late.version)
        #expect(try await ledger.projections.parked(by: name) == [parked(2, version: 1)])
    }
}

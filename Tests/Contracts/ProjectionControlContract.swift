import Appointments
import EventStore
import Projections
import TestEngines
import Testing

@Suite("The contract of ConsumerControl")
struct ConsumerControlContract {
    private let one = ConsumerName("one", number: 1)
    private let two = ConsumerName("two", number: 7)

    @Test("a consumer is held from its first pause to its resumption", arguments: Engine.ofStores)
    func pause(engine: Engine) async throws {
        let control = try await engine.make().control
        #expect(try await control.pausedAt(one) == nil)
        #expect(try await control.resume(one) == false)
        try await control.pause(one, at: Samples.noon)
        try await control.pause(one, at: Samples.noon.adding(milliseconds: 5))
        #expect(try await control.pausedAt(one) == Samples.noon)
        #expect(try await control.pausedAt(two) == nil)
        #expect(try await control.resume(one))
        #expect(try await control.pausedAt(one) == nil)
        #expect(try await control.resume(one) == false)
    }

    @Test(
        "whoever has left a checkpoint, a parked event or a pause is named, until forgotten", arguments: Engine.ofStores
    )
    func names(engine: Engine) async throws {
        let ledger = try await engine.make()
        let three = ConsumerName("three", number: 2)
        #expect(try await ledger.control.names().isEmpty)
        #expect(try await ledger.projections.commit(ProjectionCommit(checkpoint: 4), of: one, expecting: 0))
        let parked = [1, 2, 30].map {
            ParkedEvent(appointment: Samples.appointment($0), version: $0, reason: "r", at: Samples.noon)
        }
        try await ledger.projections.put([], parking: parked, by: two)
        try await ledger.control.pause(three, at: Samples.noon)
        // Rows of a set stand beside them, and are nobody's.
        let set = try await ledger.sets.begin("trial", of: one, head: 0, now: Samples.noon)
        _ = try await ledger.sets.fill(
            set, with: [try Samples.row(1)], through: Samples.appointment(1).stream, events: 1)
        #expect(try await ledger.control.names() == [one, three, two])
        for name in [one, two, three] { try await ledger.control.forget(name) }
        #expect(try await ledger.control.names().isEmpty)
        #expect(try await ledger.projections.parked(by: two).isEmpty)
        #expect(try await ledger.projections.checkpoint(of: one) == 0)
        #expect(try await ledger.sets.sets().map(\.name) == ["trial"])
    }
}

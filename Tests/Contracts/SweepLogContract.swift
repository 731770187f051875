import EventStore
import Handlers
import Projections
import TestEngines
import Testing

@Suite("The contract of SweepLog")
struct SweepLogContract {
    private let appointment = Samples.appointment(1)

    private func minute(_ minute: Int64) -> Timestamp { Samples.noon.adding(milliseconds: minute * 60_000) }

    /// Ten minutes' quiet, seen at a minute.
    private func quiet(_ minute: Int64) -> Quiet { Quiet(forMilliseconds: 600_000, at: self.minute(minute)) }

    /// A round at a minute, when rounds of the last ten minutes are waited for.
    private func round(_ log: any SweepLog, version: Int = 1, at minute: Int64) async throws -> Bool {
        try await log.beginRound(
            of: appointment, version: version, now: self.minute(minute), quiet: quiet(minute), maximum: 3)
    }

    private func show(_ ledger: TestEngine, version: Int, checkpoint: Int) async throws {
        var commit = ProjectionCommit(checkpoint: checkpoint)
        commit.rows = [try Samples.row(1, version: version)]
        let name = ProjectionRunner.projection
        #expect(try await ledger.projections.commit(commit, of: name, expecting: checkpoint - 1))
    }

    @Test("an appointment has its rounds at a version and no more", arguments: Engine.ofStores)
    func maximum(engine: Engine) async throws {
        let log = try await engine.make().sweepLog
        for minute in [0, 20, 40] as [Int64] { #expect(try await round(log, at: minute)) }
        #expect(try await round(log, at: 60) == false)
        #expect(try await round(log, at: 6000) == false)
    }

    @Test("a round waits for the one before", arguments: Engine.ofStores)
    func tooEarly(engine: Engine) async throws {
        let log = try await engine.make().sweepLog
        #expect(try await round(log, at: 0))
        #expect(try await round(log, at: 9) == false)
        #expect(try await round(log, at: 10))
    }

    @Test("a clock that was ahead keeps no round from beginning for longer", arguments: Engine.ofStores)
    func ahead(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await show(ledger, version: 1, checkpoint: 1)
        for minute in [120, 140] as [Int64] { #expect(try await round(ledger.sweepLog, at: minute)) }
        // The clock went back two hours: what began by then is waited for no longer than anything else.
        #expect(try await round(ledger.sweepLog, at: 20))
        #expect(try await round(ledger.sweepLog, at: 22) == false)
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(0)) == [appointment])
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(12)).isEmpty)
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(30)) == [appointment])
    }

    @Test("a later version starts to count anew", arguments: Engine.ofStores)
    func laterVersion(engine: Engine) async throws {
        let log = try await engine.make().sweepLog
        for minute in [0, 20, 40] as [Int64] { _ = try await round(log, at: minute) }
        for minute in [60, 80, 100] as [Int64] { #expect(try await round(log, version: 2, at: minute)) }
        #expect(try await round(log, version: 2, at: 120) == false)
    }

    @Test("an earlier version, as a stale view shows it, has no round", arguments: Engine.ofStores)
    func earlierVersion(engine: Engine) async throws {
        let log = try await engine.make().sweepLog
        #expect(try await round(log, version: 2, at: 0))
        #expect(try await round(log, version: 1, at: 60) == false)
    }

    @Test("of many sweepers at once one begins the round", arguments: Engine.ofStores)
    func race(engine: Engine) async throws {
        let log = try await engine.make().sweepLog
        let begun = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { try await round(log, at: 0) } }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(begun == 1)
    }

    @Test("what had all its rounds and still stands there is stuck", arguments: Engine.ofStores)
    func stuck(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await show(ledger, version: 1, checkpoint: 1)
        for minute in [0, 20] as [Int64] { _ = try await round(ledger.sweepLog, at: minute) }
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(100)).isEmpty)
        _ = try await round(ledger.sweepLog, at: 40)
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(49)).isEmpty)
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(100)) == [appointment])
        try await show(ledger, version: 2, checkpoint: 2)
        #expect(try await ledger.sweepLog.stuck(rounds: 3, quiet: quiet(100)).isEmpty)
    }
}

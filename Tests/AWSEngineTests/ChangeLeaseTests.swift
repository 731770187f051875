import EventStore
import Handlers
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

@Suite("Which worker reads the change stream", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct ChangeLeaseTests {
    /// A worker that runs.
    private struct Worker {
        let sink = StreamSink()
        let stop = Stop(alarm: .real)
        let task: Task<Void, Never>

        init(_ ledger: StreamLedger) {
            let (follower, stop) = (ledger.follower(sink), stop)
            task = Task { await follower.run(until: stop, logger: ledger.logger) }
        }

        func wait(for ids: [Identifier]) async throws {
            while sink.ids != ids { try await Task.sleep(for: .milliseconds(5)) }
        }

        func end() async {
            stop.request()
            await task.value
        }
    }

    private func lease(_ ledger: StreamLedger, _ holder: String) -> ChangeLease {
        ChangeLease(
            table: DynamoDBTable(client: ledger.client, name: DynamoDBTables().projections), consumer: "sink",
            holder: holder)
    }

    @Test("of two workers one reads, and the other goes on when it stops", .timeLimit(.minutes(5)))
    func handedOver() async throws {
        let ledger = try await StreamLedger()
        // Not the first to follow, who would take in the table as well.
        try await ledger.follower().drain()
        let first = Worker(ledger)
        try await ledger.append(1...1)
        try await first.wait(for: [Samples.id(1)])
        let second = Worker(ledger)
        let asked = ledger.proxy.count("PutItem")
        while ledger.proxy.count("PutItem") == asked { try await Task.sleep(for: .milliseconds(5)) }
        try await ledger.append(2...2)
        try await first.wait(for: [1, 2].map(Samples.id))
        #expect(second.sink.ids.isEmpty)
        await first.end()
        try await ledger.append(3...3)
        try await second.wait(for: [Samples.id(3)])
        await second.end()
        #expect(first.sink.ids == [1, 2].map(Samples.id))
    }

    @Test("another takes over from a worker that died once its lease has run out", .timeLimit(.minutes(5)))
    func takenOver() async throws {
        let ledger = try await StreamLedger()
        #expect(try await lease(ledger, "dead").take(at: ledger.clock.now))
        ledger.proxy.forget()
        let worker = Worker(ledger)
        while ledger.proxy.count("PutItem") == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await ledger.append(1...1)
        try await Task.sleep(for: .milliseconds(100))
        #expect(ledger.proxy.count("GetRecords") == 0 && worker.sink.ids.isEmpty)
        ledger.clock.advance(milliseconds: ChangeLease.milliseconds + 1)
        while worker.sink.ids.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        await worker.end()
        // It was given back: the next has it at once.
        #expect(try await lease(ledger, "next").take(at: ledger.clock.now))
    }

    @Test("a lease is renewed by its holder alone, and given back by nobody else")
    func holder() async throws {
        let ledger = try await StreamLedger()
        let (mine, other, now) = (lease(ledger, "mine"), lease(ledger, "other"), ledger.clock.now)
        #expect(try await mine.take(at: now))
        #expect(try await other.take(at: now) == false)
        try await other.release()
        #expect(try await mine.take(at: now.adding(milliseconds: 20_000)))
        #expect(try await other.take(at: now.adding(milliseconds: 49_000)) == false)
        #expect(try await other.take(at: now.adding(milliseconds: 50_001)))
        #expect(try await mine.take(at: now.adding(milliseconds: 50_002)) == false)
    }

    @Test("a lease that was taken by a clock hours ahead holds nobody up")
    func ahead() async throws {
        let ledger = try await StreamLedger()
        let (mine, other, now) = (lease(ledger, "mine"), lease(ledger, "other"), ledger.clock.now)
        #expect(try await mine.take(at: now.adding(milliseconds: 30_000)))
        #expect(try await other.take(at: now) == false, "two clocks may differ a little")
        #expect(try await mine.take(at: now.adding(milliseconds: 7_200_000)))
        #expect(try await other.take(at: now))
        #expect(try await mine.take(at: now) == false)
    }

    @Test("a worker whose work fails for seconds leaves it to another", .timeLimit(.minutes(5)))
    func failing() async throws {
        let ledger = try await StreamLedger()
        // Not the first to follow, who would take in the table as well.
        try await ledger.follower().drain()
        let first = Worker(ledger)
        try await ledger.append(1...1)
        try await first.wait(for: [Samples.id(1)])
        first.sink.refuse(.max)
        let second = Worker(ledger)
        try await ledger.append(2...2)
        try await second.wait(for: [Samples.id(2)])
        await first.end()
        await second.end()
    }
}

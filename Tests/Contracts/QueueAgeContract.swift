import Handlers
import TestEngines
import Testing

extension QueueDepth {
    /// Waiting, in flight and dead.
    var counts: [Int] { [waiting, inFlight, dead] }
}

@Suite("How long messages have waited") struct QueueAgeContract {
    private func take(_ queue: any MessageQueue) async throws -> [ReceivedMessage] {
        try await queue.receive(limit: 1, waitMilliseconds: 0, visibilityMilliseconds: 180_000)
    }

    @Test("the age of the oldest message that waits, and of the oldest in hand, is told", arguments: Engine.available)
    func ages(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        func ages() async throws -> [Int64?] {
            let depth = try await queue.depth()
            return [depth.oldestMilliseconds, depth.longestOutMilliseconds]
        }
        #expect(try await ages() == [nil, nil])
        try await queue.send([OutgoingMessage(body: Array("a".utf8))])
        ledger.clock.advance(milliseconds: 5000)
        try await queue.send([OutgoingMessage(body: Array("b".utf8))])
        ledger.clock.advance(milliseconds: 1000)
        #expect(try await ages() == [6000, nil])
        let first = try #require(try await take(queue).first)
        #expect(try await ages() == [1000, 6000])
        // It waits to be tried again, hidden and in nobody's hand.
        try await queue.retry(first.receipt, afterMilliseconds: 60_000, reason: "away")
        #expect(try await ages() == [6000, nil])
    }

    @Test("a clock that was set back makes no message younger than nothing", arguments: Engine.available)
    func setBack(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await queue.send([OutgoingMessage(body: Array("a".utf8))])
        ledger.clock.advance(milliseconds: -7_200_000)
        #expect(try await queue.depth().oldestMilliseconds == 0)
    }
}

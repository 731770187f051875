import EventStore
import Handlers
import TestEngines
import Testing

@Suite("The contract of DeadLetters: redrive and removal")
struct RedriveContract {
    private let visibility = QueueSettings.visibilityMilliseconds

    private func receive(_ queue: any MessageQueue) async throws -> [ReceivedMessage] {
        try await queue.receive(limit: 10, waitMilliseconds: 0, visibilityMilliseconds: visibility)
    }

    /// Makes dead letters of some texts and gives their ids, in their order.
    private func kill(_ texts: [String], in ledger: TestEngine) async throws -> [String] {
        let queue = ledger.queues(.peru)
        for text in texts {
            try await queue.send([OutgoingMessage(body: Array(text.utf8))])
            for _ in 0..<QueueSettings.maximumReceives {
                _ = try await receive(queue)
                ledger.clock.advance(milliseconds: visibility)
            }
            #expect(try await receive(queue).isEmpty)
        }
        return try await ledger.deadLetters.list(.peru, limit: 100).map(\.id)
    }

    @Test("a redriven letter is back in its queue with all its receives", arguments: Engine.ofStores)
    func redrive(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        let ids = try await kill(["a", "b"], in: ledger)
        #expect(try await ledger.deadLetters.redrive([ids[0]]) == 1)
        #expect(try await ledger.deadLetters.list(nil, limit: 10).map(\.id) == [ids[1]])
        for count in 1...QueueSettings.maximumReceives {
            let messages = try await receive(queue)
            #expect(messages.map(\.body) == [Array("a".utf8)])
            #expect(messages.map(\.receiveCount) == [count])
            ledger.clock.advance(milliseconds: visibility)
        }
        #expect(try await receive(queue).isEmpty)
        #expect(try await ledger.deadLetters.list(nil, limit: 10).count == 2)
    }

    @Test("letters of a queue go back so many at a time, until none is left", arguments: Engine.ofStores)
    func redriveAll(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await kill(["a", "b", "c"], in: ledger)
        let letters = try await ledger.deadLetters.list(.peru, limit: 10)
        let end = try #require(letters.map(\.deadAt).max())
        func redrive(_ queue: QueueName?, until: Timestamp) async throws -> Int {
            try await ledger.deadLetters.redrive(of: queue, limit: 2, deadUntil: until)
        }
        #expect(try await redrive(.chile, until: end) == 0)
        #expect(try await redrive(nil, until: letters[0].deadAt.adding(milliseconds: -1)) == 0)
        #expect(try await redrive(.peru, until: end) == 2)
        #expect(try await redrive(nil, until: end) == 1)
        #expect(try await redrive(nil, until: end) == 0)
        #expect(try await ledger.queues(.peru).depth().counts == [3, 0, 0])
    }

    @Test("letters that are gone or named twice are not counted", arguments: Engine.ofStores)
    func gone(engine: Engine) async throws {
        let ledger = try await engine.make()
        let ids = try await kill(["a", "b"], in: ledger)
        #expect(try await ledger.deadLetters.redrive([]) == 0)
        #expect(try await ledger.deadLetters.redrive([ids[0], ids[0], "nonsense"]) == 1)
        #expect(try await ledger.deadLetters.redrive(ids) == 1)
        #expect(try await ledger.deadLetters.redrive(ids) == 0)
        #expect(try await ledger.queues(.peru).depth().counts == [2, 0, 0])
    }

    @Test("of two who redrive at once, each letter is moved by one, and none comes twice", arguments: Engine.available)
    func twoAtOnce(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        let texts = (0..<30).map { "\($0)" }
        try await queue.send(texts.map { OutgoingMessage(body: Array($0.utf8)) })
        for _ in 0...QueueSettings.maximumReceives {
            for _ in 0..<4 { _ = try await receive(queue) }
            ledger.clock.advance(milliseconds: visibility)
        }
        try #require(try await ledger.deadLetters.list(.peru, limit: 100).count == texts.count)
        let now = ledger.clock.now()
        let pace = Pace(nil, now: { .zero }, sleep: { _ in })
        let redrive = RedriveRun(ledger.deadLetters, pace: pace, limit: nil)
        async let one = redrive.letters(of: .peru, deadBy: now)
        async let two = redrive.letters(of: .peru, deadBy: now)
        #expect(try await one + two == texts.count)
        var seen: [String] = []
        while case let messages = try await receive(queue), !messages.isEmpty {
            seen += messages.map { String(decoding: $0.body, as: UTF8.self) }
        }
        #expect(seen.sorted() == texts.sorted())
    }

    @Test("a redriven letter is kept for another 14 days", arguments: Engine.available)
    func retention(engine: Engine) async throws {
        let ledger = try await engine.make()
        let ids = try await kill(["a"], in: ledger)
        ledger.clock.advance(milliseconds: QueueSettings.retentionMilliseconds - 86_400_000)
        #expect(try await ledger.deadLetters.redrive(ids) == 1)
        ledger.clock.advance(milliseconds: 2 * 86_400_000)
        #expect(try await receive(ledger.queues(.peru)).count == 1)
    }

    @Test("a letter is removed once", arguments: Engine.ofStores)
    func remove(engine: Engine) async throws {
        let ledger = try await engine.make()
        let ids = try await kill(["a", "b"], in: ledger)
        #expect(try await ledger.deadLetters.remove(ids[0]))
        #expect(try await ledger.deadLetters.remove(ids[0]) == false)
        #expect(try await ledger.deadLetters.letter(ids[0]) == nil)
        #expect(try await ledger.queues(.peru).depth().dead == 1)
    }
}

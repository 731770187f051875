import EventStore
import Handlers
import TestEngines
import Testing

@Suite("The contract of MessageQueue and DeadLetters")
struct QueueContract {
    private let visibility = QueueSettings.visibilityMilliseconds

    private func receive(_ queue: any MessageQueue, limit: Int = 10) async throws -> [ReceivedMessage] {
        try await queue.receive(limit: limit, waitMilliseconds: 0, visibilityMilliseconds: visibility)
    }

    private func send(_ texts: [String], to queue: any MessageQueue) async throws {
        try await queue.send(texts.map { OutgoingMessage(body: Array($0.utf8), attributes: ["a": "b"]) })
    }

    private func texts(_ messages: [ReceivedMessage]) -> [String] {
        messages.map { String(decoding: $0.body, as: UTF8.self) }.sorted()
    }

    /// Receives everything three times without success, then once more.
    private func exhaust(_ ledger: TestEngine, _ name: QueueName = .peru, reason: String? = nil) async throws {
        let queue = ledger.queues(name)
        for _ in 0..<QueueSettings.maximumReceives {
            for message in try await receive(queue) {
                if let reason { try await queue.retry(message.receipt, afterMilliseconds: 0, reason: reason) }
            }
            if reason == nil { ledger.clock.advance(milliseconds: visibility) }
        }
        #expect(try await receive(queue).isEmpty)
    }

    @Test("an empty queue gives nothing", arguments: Engine.ofStores, QueueName.allCases)
    func empty(engine: Engine, name: QueueName) async throws {
        let queue = try await engine.make().queues(name)
        #expect(try await receive(queue).isEmpty)
        #expect(try await queue.depth().counts == [0, 0, 0])
    }

    @Test("a message is received as it was sent, for the first time", arguments: Engine.ofStores)
    func sent(engine: Engine) async throws {
        let queue = try await engine.make().queues(.peru)
        try await send(["{\"name\":\"Ñuñoa 🇨🇱\"}", "second"], to: queue)
        let messages = try await receive(queue)
        #expect(texts(messages) == ["second", "{\"name\":\"Ñuñoa 🇨🇱\"}"])
        #expect(messages.map(\.receiveCount) == [1, 1])
        #expect(Set(messages.map(\.id)).count == 2)
    }

    @Test("at most as many messages as asked for are received", arguments: Engine.ofStores)
    func limit(engine: Engine) async throws {
        let queue = try await engine.make().queues(.peru)
        try await send((1...15).map(String.init), to: queue)
        #expect(try await receive(queue, limit: 4).count == 4)
        #expect(try await receive(queue, limit: 10).count == 10)
        #expect(try await receive(queue, limit: 10).count == 1)
        #expect(try await receive(queue, limit: 0).isEmpty)
    }

    @Test("a received message is hidden until its visibility runs out, then comes again", arguments: Engine.ofStores)
    func visibility(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["m"], to: queue)
        let first = try #require(try await receive(queue).first)
        ledger.clock.advance(milliseconds: visibility - 1)
        #expect(try await receive(queue).isEmpty)
        ledger.clock.advance(milliseconds: 1)
        let second = try #require(try await receive(queue).first)
        #expect(second.id == first.id)
        #expect(second.receiveCount == 2)
        #expect(second.receipt != first.receipt)
    }

    @Test(
        "whatever the clock does, a message in hand comes again within its visibility", arguments: Engine.ofStores,
        [-7_200_000, 7_200_000] as [Int64])
    func clockSteps(engine: Engine, milliseconds: Int64) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["a", "b", "c"], to: queue)
        let first = try await receive(queue)
        #expect(first.count == 3)
        ledger.clock.step(milliseconds: milliseconds)
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await counts(of: queue) == [3, 0, 0])
        let again = try await receive(queue)
        #expect(again.map(\.receiveCount) == [2, 2, 2])
        // Hidden as long as ever, by the clock as it is now.
        #expect(try await receive(queue).isEmpty)
        try await queue.retry(again[0].receipt, afterMilliseconds: 1000, reason: "not yet")
        ledger.clock.step(milliseconds: -milliseconds)
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await receive(queue).count == 3)
    }

    @Test(
        "what was sent while the clock was hours ahead waits for nothing once it is right",
        arguments: Engine.available)
    func sentAhead(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        ledger.clock.step(milliseconds: 7_200_000)
        try await send(["a", "b"], to: queue)
        ledger.clock.step(milliseconds: -7_200_000)
        try await send(["c"], to: queue)
        #expect(try await counts(of: queue) == [3, 0, 0])
        #expect(try await receive(queue, limit: 1).count == 1)
        #expect(try await receive(queue).count == 2)
    }

    @Test("what was handled when the clock stepped back is acknowledged", arguments: Engine.ofStores)
    func acknowledgedAfterStep(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["a"], to: queue)
        let receipts = try await receive(queue).map(\.receipt)
        ledger.clock.step(milliseconds: -7_200_000)
        try await queue.delete(receipts)
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await counts(of: queue) == [0, 0, 0])
    }

    @Test("a message that is worked on stays hidden for as long as it is asked to", arguments: Engine.ofStores)
    func hiding(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["m", "n"], to: queue)
        let first = try await receive(queue)
        let kept = try #require(first.first { $0.body == Array("m".utf8) })
        ledger.clock.advance(milliseconds: visibility - 1)
        try await queue.hide([kept.receipt], forMilliseconds: visibility)
        ledger.clock.advance(milliseconds: 1)
        #expect(texts(try await receive(queue)) == ["n"])
        ledger.clock.advance(milliseconds: visibility - 2)
        #expect(try await receive(queue).isEmpty)
        try await queue.delete([kept.receipt])
        ledger.clock.advance(milliseconds: 2)
        let again = try await receive(queue)
        #expect(texts(again) == ["n"])
        // These receipts ran out or were used: what was received anew is hidden no longer than it was.
        try await queue.hide(first.map(\.receipt), forMilliseconds: 10 * visibility)
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await queue.depth().dead + queue.depth().waiting == 1)
    }

    @Test("a deleted message never comes again; its neighbours in the batch do", arguments: Engine.ofStores)
    func partialFailure(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["a", "b", "c"], to: queue)
        let handled = try await receive(queue).filter { $0.body != Array("b".utf8) }
        try await queue.delete(handled.map(\.receipt))
        try await queue.delete(handled.map(\.receipt))
        ledger.clock.advance(milliseconds: visibility)
        #expect(texts(try await receive(queue)) == ["b"])
    }

    @Test("a receipt that ran out is passed over", arguments: Engine.ofStores)
    func expiredReceipt(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["m"], to: queue)
        let receipt = try #require(try await receive(queue).first?.receipt)
        ledger.clock.advance(milliseconds: visibility)
        try await queue.delete([receipt])
        try await queue.retry(receipt, afterMilliseconds: 3_600_000, reason: "late")
        #expect(try await receive(queue).count == 1)
        try await queue.delete([receipt])
        try await queue.retry(receipt, afterMilliseconds: 0, reason: "later")
        #expect(try await receive(queue).isEmpty)
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await receive(queue).count == 1)
    }

    @Test("a receipt that nobody was given is passed over", arguments: Engine.ofStores)
    func unknownReceipt(engine: Engine) async throws {
        let queue = try await engine.make().queues(.peru)
        try await send(["m"], to: queue)
        try await queue.delete(["", "1", "'; DROP TABLE messages"])
        try await queue.retry("nonsense", afterMilliseconds: 1000, reason: "none")
        try await queue.delete([])
        #expect(try await receive(queue).count == 1)
    }

    @Test(
        "a retried message comes again after the time asked for, and its receipt is used up",
        arguments: Engine.ofStores)
    func retry(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["m"], to: queue)
        let receipt = try #require(try await receive(queue).first?.receipt)
        try await queue.retry(receipt, afterMilliseconds: 5000, reason: "not yet")
        try await queue.delete([receipt])
        ledger.clock.advance(milliseconds: 4999)
        #expect(try await receive(queue).isEmpty)
        ledger.clock.advance(milliseconds: 1)
        #expect(try await receive(queue).first?.receiveCount == 2)
    }

    @Test("queues do not share messages or receipts", arguments: Engine.ofStores)
    func separate(engine: Engine) async throws {
        let ledger = try await engine.make()
        let (peru, chile) = (ledger.queues(.peru), ledger.queues(.chile))
        try await send(["m"], to: peru)
        #expect(try await receive(chile).isEmpty)
        let receipt = try #require(try await receive(peru).first?.receipt)
        try await chile.delete([receipt])
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await receive(peru).count == 1)
    }

    @Test("many receivers at once never share a message", arguments: Engine.ofStores)
    func receivers(engine: Engine) async throws {
        let queue = try await engine.make().queues(.peru)
        try await send((1...100).map(String.init), to: queue)
        let ids = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<16 {
                group.addTask {
                    var ids: [String] = []
                    while case let messages = try await receive(queue, limit: 3), !messages.isEmpty {
                        ids += messages.map(\.id)
                    }
                    return ids
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(ids.count == 100)
        #expect(Set(ids).count == 100)
    }

    @Test("the depth tells waiting, in flight and dead apart", arguments: Engine.ofStores)
    func depth(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["x"], to: queue)
        try await exhaust(ledger)
        try await send(["a", "b", "c"], to: queue)
        _ = try await receive(queue, limit: 1)
        #expect(try await queue.depth().counts == [2, 1, 1])
    }

    @Test("a message that nobody handles is kept for 14 days and no longer", arguments: Engine.available)
    func retention(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["a"], to: queue)
        ledger.clock.advance(milliseconds: QueueSettings.retentionMilliseconds - 1)
        #expect(try await queue.depth().waiting == 1)
        ledger.clock.advance(milliseconds: 1)
        #expect(try await receive(queue).isEmpty)
        #expect(try await queue.depth().counts == [0, 0, 0])
    }

    @Test("after three receives a message is dead, with its last reason, and no other is", arguments: Engine.ofStores)
    func dead(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["poison"], to: queue)
        try await exhaust(ledger, reason: "the message is no JSON")
        try await send(["good"], to: queue)
        let letters = try await ledger.deadLetters.list(nil, limit: 10)
        #expect(letters.map(\.body) == [Array("poison".utf8)])
        #expect(letters.map(\.queue) == [.peru])
        #expect(letters.map(\.receiveCount) == [3])
        #expect(letters.map(\.reason) == ["the message is no JSON"])
        if engine.goesByHandClock { #expect(letters.map(\.deadAt) == [ledger.clock.now()]) }
        #expect(texts(try await receive(queue)) == ["good"])
    }

    @Test("a message whose handlers crashed three times is dead without a reason", arguments: Engine.ofStores)
    func deadByCrash(engine: Engine) async throws {
        let ledger = try await engine.make()
        try await send(["poison"], to: ledger.queues(.error))
        try await exhaust(ledger, .error)
        let letters = try await ledger.deadLetters.list(.error, limit: 10)
        #expect(letters.map(\.reason) == [nil])
        #expect(letters.map(\.queue) == [.error])
    }

    @Test("a message that succeeds at its third receive is not dead", arguments: Engine.ofStores)
    func thirdTime(engine: Engine) async throws {
        let ledger = try await engine.make()
        let queue = ledger.queues(.peru)
        try await send(["m"], to: queue)
        for _ in 0..<2 {
            _ = try await receive(queue)
            ledger.clock.advance(milliseconds: visibility)
        }
        try await queue.delete(try await receive(queue).map(\.receipt))
        ledger.clock.advance(milliseconds: visibility)
        #expect(try await receive(queue).isEmpty)
        #expect(try await ledger.deadLetters.list(nil, limit: 10).isEmpty)
    }

    @Test("dead letters are listed oldest first, of one queue or of all", arguments: Engine.ofStores)
    func letters(engine: Engine) async throws {
        let ledger = try await engine.make()
        for (text, name) in [("a", QueueName.peru), ("b", .chile), ("c", .peru)] {
            try await send([text], to: ledger.queues(name))
            try await exhaust(ledger, name)
        }
        func list(_ name: QueueName?, limit: Int = 10) async throws -> [String] {
            try await ledger.deadLetters.list(name, limit: limit).map { String(decoding: $0.body, as: UTF8.self) }
        }
        #expect(try await list(nil) == ["a", "b", "c"])
        #expect(try await list(nil, limit: 2) == ["a", "b"])
        #expect(try await list(.peru) == ["a", "c"])
        #expect(try await list(.completion) == [])
        let letter = try #require(try await ledger.deadLetters.list(.chile, limit: 1).first)
        #expect(try await ledger.deadLetters.letter(letter.id) == letter)
        #expect(try await ledger.deadLetters.letter("nonsense") == nil)
    }
}

/// How many messages of a queue wait, are in hand and are dead.
func counts(of queue: any MessageQueue) async throws(EventStoreError) -> [Int] {
    let depth = try await queue.depth()
    return [depth.waiting, depth.inFlight, depth.dead]
}

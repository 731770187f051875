import Appointments
import EventStore
import Handlers
import Synchronization
import TestAWS
import Testing

@testable import AWSEngine

@Suite("The dead letters of SQS", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct DeadLetterTests {
    /// Dead letters behind a proxy.
    private struct Place {
        let letters: SQSDeadLetters
        let proxy: WireProxy
        let dead: SQSCalls
        let source: SQSCalls
        let clock = TestClock()

        init(
            _ count: Int, _ react: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction = { _ in .forward }
        ) async throws {
            let account = Emulator.account()
            let direct = try Emulator.client(account: account)
            try await Emulator.makeTables(direct)
            try await Emulator.makeMessaging(direct)
            source = SQSCalls(direct, .named(QueueName.peru.rawValue))
            dead = SQSCalls(direct, .named(QueueName.peru.deadLetterName))
            try await dead.send((0..<count).map { OutgoingMessage(body: Array("\($0)".utf8)) })
            proxy = WireProxy(to: Emulator.port, react: react)
            let clock = clock
            letters = SQSDeadLetters(
                try Emulator.client(account: account, through: proxy, clock: .quick { clock.uptime }),
                names: AWSNames(), now: { clock.now })
        }

        func counts() async throws -> [Int] { [try await source.counts().waiting, try await dead.counts().waiting] }
    }

    @Test("a letter whose message is refused on its way back stays a letter")
    func refused() async throws {
        let place = try await Place(1) { request in
            request.operation == "SendMessageBatch"
                ? .answer(
                    200, headers: [:],
                    body: #"{"Failed":[{"Id":"0","SenderFault":true,"Code":"InvalidParameterValue"}]}"#)
                : .forward
        }
        let id = try #require(try await place.letters.list(.peru, limit: 1).first?.id)
        let error = await #expect(throws: EventStoreError.self) { try await place.letters.redrive([id]) }
        #expect(error?.code == .invalid)
        #expect(try await place.counts() == [0, 1])
    }

    @Test("a look waits for its answers: the queue ends where nothing comes though it was waited for")
    func longPoll() async throws {
        let place = try await Place(3)
        #expect(try await place.letters.list(.peru, limit: 10).count == 3)
        let receives = place.proxy.requests.filter { $0.operation == "ReceiveMessage" }
        #expect(receives.count == 2 && receives.allSatisfy { $0.text.contains(#""WaitTimeSeconds":1,"#) })
        // All of them are given back in one call.
        #expect(place.proxy.count("ChangeMessageVisibilityBatch") == 1)
        #expect(try await place.letters.list(.peru, limit: 10).count == 3)
    }

    @Test("a list reads no more than its limit asks for")
    func limited() async throws {
        let place = try await Place(60)
        #expect(try await place.letters.list(.peru, limit: 15).count == 15)
        #expect(place.proxy.count("ReceiveMessage") == 2)
        #expect(place.proxy.count("ChangeMessageVisibilityBatch") == 2)
        #expect(place.proxy.count("ChangeMessageVisibility") == 0)
        #expect(try await place.counts() == [0, 60])
    }

    @Test("letters that go back page by page are read once")
    func redriven() async throws {
        let place = try await Place(60)
        var moved: [Int] = []
        let end = AWSClock.realTime().adding(milliseconds: 60_000)
        while moved.last != 0 {
            moved.append(try await place.letters.redrive(of: .peru, limit: 20, deadUntil: end))
        }
        #expect(moved == [20, 20, 20, 0])
        // Six pages, and the end.
        #expect(place.proxy.count("ReceiveMessage") == 7)
        #expect(place.proxy.count("SendMessageBatch") == 6 && place.proxy.count("DeleteMessageBatch") == 6)
        #expect(try await place.counts() == [60, 0])
    }

    @Test("letters that are looked at for long are kept hidden")
    func hidden() async throws {
        let clock = Mutex<TestClock?>(nil)
        let place = try await Place(40) { request in
            // Each page takes as long as a third of the hiding.
            if request.operation == "ReceiveMessage" {
                clock.withLock { $0 }?.advance(milliseconds: LettersInHand.hiddenMilliseconds / 3)
            }
            return .forward
        }
        clock.withLock { $0 = place.clock }
        #expect(try await place.letters.list(.peru, limit: 100).count == 40)
        let hides = place.proxy.requests.filter { $0.operation == "ChangeMessageVisibilityBatch" }
        let renewals = hides.filter { $0.text.contains(#""VisibilityTimeout":60}"#) }
        // After two pages those two, after four those four; at the end all are given back.
        #expect(renewals.count == 2 + 4)
        #expect(hides.count == renewals.count + 4)
    }
}

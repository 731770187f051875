import Appointments
import EventStore
import Handlers
import Logging
import Projections
import Synchronization
import TestAWS
import Testing

@testable import AWSEngine

@Suite("The change stream of the events table", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct StreamTests {
    /// A consumer that keeps what it is given.
    private final class Sink: Sendable {
        private struct State {
            var events: [RecordedEvent] = []
            var tamperings: [Tampering] = []
            var refusals = 0
        }

        private let state = Mutex(State())

        var ids: [Identifier] { state.withLock { $0.events.map(\.entry.id) } }
        var tamperings: [Tampering] { state.withLock { $0.tamperings } }

        /// Refuses so many batches from now on.
        func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

        var consumer: StreamConsumer {
            StreamConsumer("sink") { events, tamperings throws(EventStoreError) in
                let isRefused = self.state.withLock { state in
                    state.refusals -= 1
                    if state.refusals >= 0 { return true }
                    state.events += events
                    state.tamperings += tamperings
                    return false
                }
                if isRefused { throw EventStoreError(.unavailable, message: "the sink is closed") }
            } lagging: { versions throws(EventStoreError) in
                let held = self.state.withLock { state in
                    Dictionary(state.events.map { ($0.stream.appointment, $0.version) }, uniquingKeysWith: max)
                }
                return Set(versions.filter { held[$0.key] ?? 0 < $0.value }.keys)
            }
        }
    }

    private final class Ledger: Sendable {
        let store: DynamoDBEventStore
        let proxy: WireProxy
        let client: AWSClient
        let sink = Sink()
        let clock = TestClock()
        private let box: Box

        init() async throws {
            let account = Emulator.account()
            let direct = try Emulator.client(account: account)
            try await Emulator.makeTables(direct)
            store = DynamoDBEventStore(direct, tables: .init())
            let box = Box()
            proxy = WireProxy(to: Emulator.port) { box.react($0) }
            self.box = box
            client = try Emulator.client(account: account, through: proxy)
        }

        /// The proxy's reaction, which changes in the course of a test.
        private final class Box: Sendable {
            private let reaction = Mutex<@Sendable (WireProxy.Request) -> WireProxy.Reaction>({ _ in .forward })
            func react(_ request: WireProxy.Request) -> WireProxy.Reaction { reaction.withLock { $0 }(request) }
            func set(_ new: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) {
                reaction.withLock { $0 = new }
            }
        }

        func react(_ new: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) { box.set(new) }

        /// A follower as a process has it that has just begun.
        func follower() -> DynamoDBStream {
            DynamoDBStream(client, tables: .init(), consumer: sink.consumer, now: { self.clock.now })
        }

        func putForeign(_ stream: String, version: Int) async throws {
            _ = try await store.table.call("PutItem") { writer in
                writer.member("Item") { $0.object { Self.key(stream, version, &$0) } }
            }
        }

        func deleteForeign(_ stream: String, version: Int) async throws {
            _ = try await store.table.call("DeleteItem") { writer in
                writer.member("Key") { $0.object { Self.key(stream, version, &$0) } }
            }
        }

        private static func key(_ stream: String, _ version: Int, _ writer: inout JSONWriter) {
            writer.attribute("streamId", text: stream)
            writer.attribute("version", number: version)
        }

        func append(_ numbers: ClosedRange<Int>) async throws {
            for number in numbers {
                _ = try await store.append([Samples.event(number)], to: Samples.stream(number), expecting: .empty)
            }
        }
    }

    /// Steps until nothing comes any more.
    private func drain(_ follower: DynamoDBStream) async throws {
        while try await follower.step() > 0 {}
    }

    @Test("Every event comes once and in order, also to a follower that was started again")
    func resumed() async throws {
        let ledger = try await Ledger()
        try await drain(ledger.follower())
        try await ledger.append(1...3)
        try await drain(ledger.follower())
        #expect(ledger.sink.ids == (1...3).map(Samples.id))
        try await ledger.append(4...5)
        try await drain(ledger.follower())
        #expect(ledger.sink.ids == (1...5).map(Samples.id))
    }

    @Test("A batch that the consumer refuses comes again")
    func refused() async throws {
        let ledger = try await Ledger()
        let follower = ledger.follower()
        try await drain(follower)
        try await ledger.append(1...2)
        ledger.sink.refuse(2)
        for _ in 0..<2 { await #expect(throws: EventStoreError.self) { try await follower.step() } }
        try await drain(follower)
        #expect(ledger.sink.ids == (1...2).map(Samples.id))
    }

    @Test("A new follower takes in from the table what the stream has dropped already")
    func first() async throws {
        let ledger = try await Ledger()
        try await ledger.append(1...2)
        ledger.react { request in
            // A stream that has dropped everything.
            request.operation == "GetRecords"
                ? .answer(200, headers: [:], body: #"{"Records":[],"NextShardIterator":"next"}"#) : .forward
        }
        try await drain(ledger.follower())
        #expect(Set(ledger.sink.ids) == Set((1...2).map(Samples.id)))
    }

    @Test("An iterator that has ended is replaced, and no record is lost or repeated")
    func expiredIterator() async throws {
        let ledger = try await Ledger()
        let follower = ledger.follower()
        try await drain(follower)
        try await ledger.append(1...2)
        try await drain(follower)
        let before = ledger.proxy.count("GetRecords")
        ledger.react { request in
            request.operation == "GetRecords" && request.number == before + 1
                ? .refuse("ExpiredIteratorException") : .forward
        }
        try await ledger.append(3...4)
        try await drain(follower)
        #expect(ledger.sink.ids == (1...4).map(Samples.id))
        #expect(
            ledger.proxy.requests.last { $0.operation == "GetShardIterator" }?.text.contains("AFTER_SEQUENCE") == true)
    }

    @Test(
        "What was trimmed before it was read is taken in from the table", arguments: ["GetShardIterator", "GetRecords"])
    func trimmed(operation: String) async throws {
        let ledger = try await Ledger()
        try await drain(ledger.follower())
        try await ledger.append(1...1)
        try await drain(ledger.follower())
        try await ledger.append(2...4)
        let before = ledger.proxy.count(operation)
        ledger.react { request in
            if request.operation == operation, request.number == before + 1 {
                return .refuse("TrimmedDataAccessException")
            }
            // Behind the horizon there is nothing.
            return request.operation == "GetRecords"
                ? .answer(200, headers: [:], body: #"{"Records":[],"NextShardIterator":"next"}"#) : .forward
        }
        let follower = ledger.follower()
        _ = try await follower.step()
        _ = try await follower.step()
        #expect(ledger.sink.ids.first == Samples.id(1))
        #expect(Set(ledger.sink.ids) == Set((1...4).map(Samples.id)))
        #expect(ledger.sink.ids.count == 4)
        #expect(ledger.proxy.count("Scan") > 0)
    }

    @Test("After a silence longer than the stream remembers the table is looked through")
    func silence() async throws {
        let ledger = try await Ledger()
        try await drain(ledger.follower())
        ledger.proxy.forget()
        ledger.clock.advance(milliseconds: 3_600_000)
        try await drain(ledger.follower())
        #expect(ledger.proxy.count("Scan") == 0)
        ledger.clock.advance(milliseconds: 21 * 3_600_000)
        try await drain(ledger.follower())
        #expect(ledger.proxy.count("Scan") == 1)
    }

    @Test("A change or a removal in the events table raises the alarm")
    func tampering() async throws {
        let ledger = try await Ledger()
        let follower = ledger.follower()
        try await drain(follower)
        try await ledger.append(1...2)
        for (number, operation) in [(1, "UpdateItem"), (2, "DeleteItem")] {
            _ = try await ledger.store.table.call(operation) { writer in
                writer.member("Key") { writer in
                    writer.object {
                        $0.attribute("streamId", text: Samples.stream(number).description)
                        $0.attribute("version", number: 1)
                    }
                }
                guard operation == "UpdateItem" else { return }
                writer.member("UpdateExpression", "SET actor = :a")
                writer.member("ExpressionAttributeValues") { $0.object { $0.attribute(":a", text: "me") } }
            }
        }
        try await drain(follower)
        #expect(
            ledger.sink.tamperings == [
                Tampering(AppointmentID(Samples.id(1)), version: 1, reason: "it was changed in the table"),
                Tampering(AppointmentID(Samples.id(2)), version: 1, reason: "it was removed from the table"),
            ])
        let views = DynamoDBViews(ledger.client, tables: .init())
        let alarm = TamperAlarm(signs: views, logger: Logger(label: "t", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await alarm.raise(ledger.sink.tamperings, at: ledger.clock.now)
        #expect(
            try await views.parked(by: TamperAlarm.projection).map(\.reason)
                == ["it was changed in the table", "it was removed from the table"])
    }

    @Test("An item that is no event raises the alarm, when it comes and when it goes, and holds up nobody")
    func foreign() async throws {
        let ledger = try await Ledger()
        try await ledger.append(1...1)
        try await ledger.putForeign("note-1", version: 1)
        // A version that no event has, of a proper appointment.
        try await ledger.putForeign(Samples.stream(1).description, version: 1 << 40)
        try await drain(ledger.follower())
        // What the table held was taken in with it, and what the stream tells of it again.
        let put = Tampering.foreign("was put into")
        #expect(ledger.sink.tamperings == [.foreign("stands in"), .foreign("stands in"), put, put])
        #expect(Set(ledger.sink.ids) == [Samples.id(1)])
        try await ledger.append(2...2)
        try await ledger.deleteForeign("note-1", version: 1)
        try await ledger.append(3...3)
        try await drain(ledger.follower())
        #expect(ledger.sink.tamperings.last == .foreign("was removed from"))
        #expect(ledger.sink.ids.suffix(2) == [Samples.id(2), Samples.id(3)])
        let views = DynamoDBViews(ledger.client, tables: .init())
        let alarm = TamperAlarm(signs: views, logger: Logger(label: "t", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await alarm.raise([put], at: ledger.clock.now)
        #expect(try await views.parked(by: TamperAlarm.projection).map(\.appointment) == [TamperAlarm.nobody])
    }

    @Test("A shard is read behind its parent, and a closed one is left behind for good")
    func shards() async throws {
        let ledger = try await Ledger()
        let shared = Order()
        ledger.react { request in
            switch request.operation {
            case "DescribeStream":
                return .answer(
                    200, headers: [:],
                    body: """
                        {"StreamDescription":{"Shards":[{"ShardId":"child","ParentShardId":"parent"},\
                        {"ShardId":"orphan","ParentShardId":"gone"},{"ShardId":"parent"}]}}
                        """)
            case "GetShardIterator":
                let shard = ["child", "orphan", "parent"].first { request.text.contains(#""ShardId":"\#($0)""#) }
                return .answer(200, headers: [:], body: #"{"ShardIterator":"\#(shard ?? "")"}"#)
            case "GetRecords":
                let shard = ["child", "orphan", "parent"].first { request.text.contains($0) } ?? ""
                let isFirst = shared.add(shard)
                // The parent is closed after its second answer.
                let next = shard == "parent" && !isFirst ? "" : #","NextShardIterator":"\#(shard)""#
                return .answer(200, headers: [:], body: #"{"Records":[]\#(next)}"#)
            default: return .forward
            }
        }
        let follower = ledger.follower()
        for _ in 0..<4 { _ = try await follower.step() }
        let read = shared.list
        #expect(read.filter { $0 == "parent" }.count == 2)
        #expect(read.contains("orphan"))
        #expect(try #require(read.firstIndex(of: "child")) > read.lastIndex(of: "parent") ?? .max)
        shared.clear()
        _ = try await ledger.follower().step()
        #expect(shared.list == ["orphan", "child"] || shared.list == ["child", "orphan"])
    }

    private final class Order: Sendable {
        private let names = Mutex<[String]>([])
        var list: [String] { names.withLock { $0 } }
        func clear() { names.withLock { $0 = [] } }
        /// Whether the name is new.
        func add(_ name: String) -> Bool {
            names.withLock { names in
                defer { names.append(name) }
                return !names.contains(name)
            }
        }
    }
}

import Appointments
import EventStore
import Handlers
import Logging
import Projections
import Synchronization
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

@Suite("The change stream of the events table", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct StreamTests {
    @Test("every event comes once and in order, also to a follower that was started again")
    func resumed() async throws {
        let ledger = try await StreamLedger()
        try await ledger.follower().drain()
        try await ledger.append(1...3)
        try await ledger.follower().drain()
        #expect(ledger.sink.ids == (1...3).map(Samples.id))
        try await ledger.append(4...5)
        try await ledger.follower().drain()
        #expect(ledger.sink.ids == (1...5).map(Samples.id))
    }

    @Test("a batch that the consumer refuses comes again")
    func refused() async throws {
        let ledger = try await StreamLedger()
        let follower = ledger.follower()
        try await follower.drain()
        try await ledger.append(1...2)
        ledger.sink.refuse(2)
        for _ in 0..<2 { await #expect(throws: EventStoreError.self) { try await follower.step() } }
        try await follower.drain()
        #expect(ledger.sink.ids == (1...2).map(Samples.id))
    }

    @Test("a new follower takes in from the table what the stream has dropped already")
    func first() async throws {
        let ledger = try await StreamLedger()
        try await ledger.append(1...2)
        ledger.react { request in
            // A stream that has dropped everything.
            request.operation == "GetRecords"
                ? .answer(200, headers: [:], body: #"{"Records":[],"NextShardIterator":"next"}"#) : .forward
        }
        try await ledger.follower().drain()
        #expect(Set(ledger.sink.ids) == Set((1...2).map(Samples.id)))
    }

    @Test("an iterator that has ended is replaced, and no record is lost or repeated")
    func expiredIterator() async throws {
        let ledger = try await StreamLedger()
        let follower = ledger.follower()
        try await follower.drain()
        try await ledger.append(1...2)
        try await follower.drain()
        let before = ledger.proxy.count("GetRecords")
        ledger.react { request in
            request.operation == "GetRecords" && request.number == before + 1
                ? .refuse("ExpiredIteratorException") : .forward
        }
        try await ledger.append(3...4)
        try await follower.drain()
        #expect(ledger.sink.ids == (1...4).map(Samples.id))
        #expect(
            ledger.proxy.requests.last { $0.operation == "GetShardIterator" }?.text.contains("AFTER_SEQUENCE") == true)
    }

    @Test(
        "what was trimmed before it was read is taken in from the table", arguments: ["GetShardIterator", "GetRecords"])
    func trimmed(operation: String) async throws {
        let ledger = try await StreamLedger()
        try await ledger.follower().drain()
        try await ledger.append(1...1)
        try await ledger.follower().drain()
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

    @Test("the table is gone through once for all that was dropped before its shards were listed")
    func trimmedAfterBackfill() async throws {
        let ledger = try await StreamLedger()
        try await ledger.append(1...2)
        ledger.react { request in
            switch request.operation {
            case "GetRecords" where request.number == 1: .refuse("TrimmedDataAccessException")
            default: .forward
            }
        }
        let follower = ledger.follower()
        _ = try await follower.step()
        try await follower.drain()
        #expect(ledger.proxy.count("GetRecords") > 1)
        #expect(ledger.proxy.count("Scan") == 1)
        #expect(Set(ledger.sink.ids) == Set((1...2).map(Samples.id)))
    }

    @Test("what is too much for AWS just now costs no other calls, and neither does listing the shards anew")
    func throttled() async throws {
        let ledger = try await StreamLedger()
        let follower = ledger.follower()
        _ = try await follower.step()
        for code in ["LimitExceededException", "InternalServerError"] {
            ledger.react { $0.operation == "GetRecords" ? .refuse(code) : .forward }
            for _ in 0..<3 { await #expect(throws: EventStoreError.self) { try await follower.step() } }
        }
        ledger.react { _ in .forward }
        for _ in 0..<70 { _ = try await follower.step() }
        #expect(ledger.proxy.count("DescribeStream") == 2)
        #expect(ledger.proxy.count("GetShardIterator") == 1)
        // What is gone is looked for anew.
        let calls = ledger.proxy.count("GetRecords")
        ledger.react {
            $0.operation == "GetRecords" && $0.number == calls + 1 ? .refuse("ResourceNotFoundException") : .forward
        }
        await #expect(throws: EventStoreError.self) { try await follower.step() }
        _ = try await follower.step()
        #expect(ledger.proxy.count("DescribeStream") == 3)
    }

    @Test("going through the table ends at the next page when a stop is asked for", .timeLimit(.minutes(5)))
    func stopped() async throws {
        let ledger = try await StreamLedger()
        ledger.react { request in
            request.operation == "Scan"
                ? .answer(200, headers: [:], body: #"{"Items":[],"LastEvaluatedKey":{"streamId":{"S":"a"}}}"#)
                : .forward
        }
        let stop = Stop(alarm: .real)
        let follower = ledger.follower()
        let run = Task { await follower.run(until: stop, logger: ledger.logger) }
        while ledger.proxy.count("Scan") < 3 { try await Task.sleep(for: .milliseconds(5)) }
        stop.request()
        await run.value
        #expect(ledger.proxy.count("GetRecords") == 0)
        // Nothing was noted: whoever follows next begins with the table.
        ledger.react { _ in .forward }
        ledger.proxy.forget()
        try await ledger.follower().drain()
        #expect(ledger.proxy.count("Scan") == 1)
    }

    @Test("the places of shards that were read to their end and are gone are taken away")
    func removedPlaces() async throws {
        let ledger = try await StreamLedger()
        let isOld = Mutex(false)
        ledger.react { request in
            switch request.operation {
            case "DescribeStream":
                let parent = isOld.withLock { $0 } ? "" : #",{"ShardId":"parent"}"#
                return .answer(
                    200, headers: [:],
                    body: #"""
                        {"StreamDescription":{"Shards":[{"ShardId":"child","ParentShardId":"parent"}\#(parent)]}}
                        """#)
            case "GetShardIterator":
                let shard = request.text.contains(#""ShardId":"parent""#) ? "parent" : "child"
                return .answer(200, headers: [:], body: #"{"ShardIterator":"\#(shard)"}"#)
            case "GetRecords":
                let next = request.text.contains("parent") ? "" : #","NextShardIterator":"child""#
                return .answer(200, headers: [:], body: #"{"Records":[]\#(next)}"#)
            default: return .forward
            }
        }
        let follower = ledger.follower()
        for _ in 0..<3 { _ = try await follower.step() }
        let places = ChangePlaces(
            table: DynamoDBTable(client: ledger.client, name: DynamoDBTables().projections), consumer: "sink")
        #expect(try await places.all() == ["parent": ChangePlaces.Place(sequence: nil, isDone: true)])
        isOld.withLock { $0 = true }
        _ = try await ledger.follower().step()
        #expect(try await places.all().isEmpty)
        #expect(ledger.proxy.count("Scan") == 1)
    }

    @Test("after a silence longer than the stream remembers the table is looked through")
    func silence() async throws {
        let ledger = try await StreamLedger()
        try await ledger.follower().drain()
        ledger.proxy.forget()
        ledger.clock.advance(milliseconds: 3_600_000)
        try await ledger.follower().drain()
        #expect(ledger.proxy.count("Scan") == 0)
        ledger.clock.advance(milliseconds: 21 * 3_600_000)
        try await ledger.follower().drain()
        #expect(ledger.proxy.count("Scan") == 1)
    }

    @Test("a change or a removal in the events table raises the alarm")
    func tampering() async throws {
        let ledger = try await StreamLedger()
        let follower = ledger.follower()
        try await follower.drain()
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
        try await follower.drain()
        #expect(
            ledger.sink.tamperings == [
                Tampering(AppointmentID(Samples.id(1)), version: 1, reason: "it was changed in the table"),
                Tampering(AppointmentID(Samples.id(2)), version: 1, reason: "it was removed from the table"),
            ])
        let views = DynamoDBAppointmentView(ledger.client, tables: .init())
        let alarm = TamperAlarm(signs: views, logger: ledger.logger)
        try await alarm.raise(ledger.sink.tamperings, at: ledger.clock.now)
        #expect(
            try await views.parked(by: TamperAlarm.projection).map(\.reason)
                == ["it was changed in the table", "it was removed from the table"])
    }

    @Test("an item that is no event raises the alarm, when it comes and when it goes, and holds up nobody")
    func foreign() async throws {
        let ledger = try await StreamLedger()
        try await ledger.append(1...1)
        try await ledger.putForeign("note-1", version: 1)
        // A version that no event has, of a proper appointment.
        try await ledger.putForeign(Samples.stream(1).description, version: 1 << 40)
        try await ledger.follower().drain()
        // What the table held was taken in with it, and what the stream tells of it again.
        let put = Tampering.foreign("was put into")
        #expect(ledger.sink.tamperings == [.foreign("stands in"), .foreign("stands in"), put, put])
        #expect(Set(ledger.sink.ids) == [Samples.id(1)])
        try await ledger.append(2...2)
        try await ledger.deleteForeign("note-1", version: 1)
        try await ledger.append(3...3)
        try await ledger.follower().drain()
        #expect(ledger.sink.tamperings.last == .foreign("was removed from"))
        #expect(ledger.sink.ids.suffix(2) == [Samples.id(2), Samples.id(3)])
        let views = DynamoDBAppointmentView(ledger.client, tables: .init())
        let alarm = TamperAlarm(signs: views, logger: ledger.logger)
        try await alarm.raise([put], at: ledger.clock.now)
        #expect(try await views.parked(by: TamperAlarm.projection).map(\.appointment) == [TamperAlarm.nobody])
    }

    @Test("a record that can't be read holds up its own shard, and no other one")
    func unreadable() async throws {
        let ledger = try await StreamLedger()
        ledger.react { request in
            switch request.operation {
            case "DescribeStream":
                return .answer(
                    200, headers: [:],
                    body: #"{"StreamDescription":{"Shards":[{"ShardId":"bad"},{"ShardId":"good"}]}}"#)
            case "GetShardIterator":
                let shard = request.text.contains(#""ShardId":"bad""#) ? "bad" : "good"
                return .answer(200, headers: [:], body: #"{"ShardIterator":"\#(shard)"}"#)
            case "GetRecords":
                let isBad = request.text.contains(#""bad""#)
                return .answer(
                    200, headers: [:],
                    body: #"{"Records":[\#(isBad ? "{}" : "")],"NextShardIterator":"\#(isBad ? "bad" : "good")"}"#)
            default: return .forward
            }
        }
        let follower = ledger.follower()
        for _ in 0..<2 { await #expect(throws: EventStoreError.self) { try await follower.step() } }
        let read = ledger.proxy.requests.filter { $0.operation == "GetRecords" }
        #expect(read.filter { $0.text.contains(#""good""#) }.count == 2)
    }

    @Test("a shard is read behind its parent, and a closed one is left behind for good")
    func shards() async throws {
        let ledger = try await StreamLedger()
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

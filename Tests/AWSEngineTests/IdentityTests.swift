import EventStore
import HTTPClient
import Handlers
import Logging
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

/// Which ledger the tables are, and how a restore of some of them is noticed.
@Suite("The identity of a ledger on AWS", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct IdentityTests {
    private let now = Timestamp(milliseconds: 1_795_504_260_000)

    /// The tables of a new account.
    private func tables() async throws -> AWSClient {
        let client = try Emulator.client()
        try await Emulator.makeTables(client)
        return client
    }

    private func open(_ client: AWSClient, _ tables: DynamoDBTables = .init()) async throws -> DynamoDBIdentity.Opening
    {
        try await DynamoDBIdentity(client, tables: tables).open(
            newID: .version4(random: (client.number(), client.number())), now: now)
    }

    private func append(_ client: AWSClient, _ number: Int, _ type: String = "routed") async throws -> RecordedEvent {
        try #require(
            try await DynamoDBEventStore(client, tables: .init()).append(
                [Samples.event(number, type)], to: Samples.stream(number), expecting: .empty
            ).first)
    }

    private func remove(_ client: AWSClient, _ stream: String, _ version: Int) async throws {
        let table = DynamoDBTable(client: client, name: DynamoDBTables().events)
        _ = try await table.call("DeleteItem") { writer in
            writer.member("Key") { writer in
                writer.object {
                    $0.attribute("streamId", text: stream)
                    $0.attribute("version", number: version)
                }
            }
        }
    }

    @Test("of all who open a new ledger at once, one makes its identity, and all find the same")
    func once() async throws {
        let client = try await tables()
        let found = try await withThrowingTaskGroup(of: LedgerIdentity.self) { group in
            for _ in 0..<8 { group.addTask { try await open(client).identity } }
            return try await group.reduce(into: Set<LedgerIdentity>()) { $0.insert($1) }
        }
        #expect(found.count == 1 && found.first?.epoch == 1)
        let again = try await open(client)
        #expect(again.identity == found.first && again.putBackFrom == nil)
    }

    @Test("the identity is no event: not to a count, a look, a follower of the change stream or one that makes up")
    func noEvent() async throws {
        let ledger = try await StreamLedger()
        _ = try await open(ledger.client)
        try await ledger.append(1...3)
        // The first round goes through the table, and then through the stream.
        try await ledger.follower().drain()
        #expect(Set(ledger.sink.ids) == Set((1...3).map(Samples.id)) && ledger.sink.tamperings.isEmpty)
        let log = DynamoDBScan(ledger.client, tables: .init())
        #expect(try await log.head() == 3)
        #expect(try await log.foreignItems() == 0)
        #expect(try await ledger.store.count() == 3)
    }

    @Test("an identity that is changed, removed or written by somebody else raises the alarm")
    func tampered() async throws {
        let ledger = try await StreamLedger()
        _ = try await open(ledger.client)
        try await ledger.append(1...1)
        try await ledger.follower().drain()
        try await ledger.putForeign(EpochItem.stream, version: 1)
        try await ledger.putForeign(EpochItem.stream, version: 2)
        try await ledger.deleteForeign(EpochItem.stream, version: 1)
        try await ledger.follower().drain()
        #expect(
            ledger.sink.tamperings.map(\.reason)
                == ["changed in", "changed in", "removed from"].map { what in
                    "the item that says which ledger this is was \(what) the table of events"
                })
        #expect(try await DynamoDBScan(ledger.client, tables: .init()).foreignItems() == 1)
        let error = await #expect(throws: EventStoreError.self) { try await open(ledger.client) }
        #expect(error?.code == .corrupt)
    }

    @Test("a table that lacks what was seen was put back: a new epoch begins, once")
    func putBack() async throws {
        let client = try await tables()
        let first = try await open(client).identity
        let identity = DynamoDBIdentity(client, tables: .init())
        let events = [try await append(client, 1), try await append(client, 2)]
        try await identity.note(events[1], of: first, now: now)
        #expect(try await open(client).identity == first)
        try await remove(client, events[1].stream.description, 1)
        let found = try await open(client)
        #expect(found.identity == first.next)
        #expect(found.putBackFrom?.last?.stream == events[1].stream)
        #expect(try await open(client).putBackFrom == nil)
        #expect(try await identity.stored() == first.next)
        // Who worked for the epoch before notes nothing any more, and is told.
        let error = await #expect(throws: EventStoreError.self) {
            try await identity.note(try await append(client, 3), of: first, now: now)
        }
        #expect(error?.code == .invalid && error?.message.contains("start it again") == true)
        #expect(try await identity.seen()?.last == nil)
    }

    @Test("another event in the place of the one that was seen is another past: a new epoch begins")
    func otherPast() async throws {
        let client = try await tables()
        let first = try await open(client).identity
        let event = try await append(client, 1)
        try await DynamoDBIdentity(client, tables: .init()).note(event, of: first, now: now)
        try await remove(client, event.stream.description, 1)
        _ = try await append(client, 1, "requested")
        #expect(try await open(client).identity == first.next)
    }

    @Test("a table put back to before an epoch began gets the epoch after it, never the same number twice")
    func epochsGoOn() async throws {
        let client = try await tables()
        let first = try await open(client).identity
        let event = try await append(client, 1)
        try await DynamoDBIdentity(client, tables: .init()).note(event, of: first, now: now)
        try await remove(client, event.stream.description, 1)
        #expect(try await open(client).identity.epoch == 2)
        try await remove(client, EpochItem.stream, 2)
        let found = try await open(client)
        #expect(found.identity == LedgerIdentity(id: first.id, epoch: 3) && found.putBackFrom != nil)
    }

    @Test("a process that dies between the new epoch and its note leaves an epoch that the next one takes")
    func dies() async throws {
        let client = try await tables()
        let first = try await open(client).identity
        _ = try await DynamoDBTable(client: client, name: "events").put(
            { EpochItem(first.next).write(at: now, &$0) }, if: "attribute_not_exists(streamId)")
        let found = try await open(client)
        #expect(found.identity == first.next && found.putBackFrom == nil)
        #expect(try await DynamoDBIdentity(client, tables: .init()).seen()?.identity == first.next)
    }

    @Test("a table of another ledger, or of none, is refused beside what was seen of this one")
    func another() async throws {
        let client = try await tables()
        let first = try await open(client).identity
        try await remove(client, EpochItem.stream, 1)
        for other in [nil, LedgerIdentity(id: Samples.id(9), epoch: 1)] {
            if let other {
                _ = try await DynamoDBTable(client: client, name: "events").put(
                    { EpochItem(other).write(at: now, &$0) }, if: "attribute_not_exists(streamId)")
            }
            let error = await #expect(throws: EventStoreError.self) { try await open(client) }
            #expect(
                error?.code == .invalid && error?.message.contains("\(first.id)") == true,
                "\(String(describing: error))")
        }
        // Nothing was written by those who were refused.
        #expect(try await DynamoDBIdentity(client, tables: .init()).stored()?.id == Samples.id(9))
    }

    @Test("what is noted never goes back, unless a clock that was ahead has said it")
    func notes() async throws {
        let client = try await tables()
        let identity = DynamoDBIdentity(client, tables: .init())
        let ledger = try await open(client).identity
        func event(_ number: Int, _ seconds: Int64) async throws -> RecordedEvent {
            let sample = Samples.event(number)
            let new = NewEvent(
                type: sample.type, schema: 1, id: sample.id, at: now.adding(milliseconds: seconds * 1000),
                country: "PE", actor: "router", correlation: "c-1", causation: nil, data: sample.data, personal: [])
            return try #require(
                try await DynamoDBEventStore(client, tables: .init()).append(
                    [new], to: Samples.stream(number), expecting: .empty
                ).first)
        }
        let (early, late, ahead) = (try await event(1, -20), try await event(2, -10), try await event(3, 7200))
        try await identity.note(late, of: ledger, now: now)
        try await identity.note(early, of: ledger, now: now)
        #expect(try await identity.seen()?.last?.stream == late.stream)
        try await identity.note(ahead, of: ledger, now: now)
        #expect(try await identity.seen()?.last?.stream == ahead.stream)
        try await identity.note(late, of: ledger, now: now)
        #expect(try await identity.seen()?.last?.stream == late.stream)
    }
    @Test("events are noted once in ten seconds, and the last one when the stream has come to rest")
    func pace() async throws {
        let account = Emulator.account()
        try await Emulator.makeTables(try Emulator.client(account: account))
        let clock = TestClock()
        let ledger = try AWSLedger(
            environment: Emulator.environment(account: account), pool: ConnectionPool(size: 4), clock: clock.clock)
        let ours = try await ledger.recognize(Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let note = SeenNote(ledger, of: ours)
        func place() async throws -> StreamID? {
            let seen = try await ledger.identity.seen()
            return seen?.last?.stream
        }
        func event(_ number: Int, secondsLater: Int64) async throws -> RecordedEvent {
            let sample = Samples.event(number)
            let new = NewEvent(
                type: sample.type, schema: 1, id: sample.id, at: sample.at.adding(milliseconds: secondsLater * 1000),
                country: "PE", actor: "router", correlation: "c-1", causation: nil, data: sample.data, personal: [])
            let stored = try await ledger.store.append([new], to: Samples.stream(number), expecting: .empty)
            return try #require(stored.first)
        }
        try await note.saw([try await event(2, secondsLater: 2), try await event(1, secondsLater: 1)])
        #expect(try await place() == Samples.stream(2))
        try await note.saw([try await event(3, secondsLater: 3)])
        #expect(try await place() == Samples.stream(2))
        clock.advance(milliseconds: SeenNote.everyMilliseconds)
        try await note.saw([try await event(4, secondsLater: 4)])
        #expect(try await place() == Samples.stream(4))
        try await note.saw([try await event(5, secondsLater: 5)])
        #expect(try await place() == Samples.stream(4))
        try await note.flush()
        #expect(try await place() == Samples.stream(5))
        // An event that is gone when the next is to be noted is not forgotten over it.
        try await remove(ledger.client, Samples.stream(5).description, 1)
        clock.advance(milliseconds: SeenNote.everyMilliseconds)
        let later = try await event(6, secondsLater: 6)
        let error = await #expect(throws: EventStoreError.self) { try await note.saw([later]) }
        #expect(error?.code == .invalid)
        #expect(try await ledger.identity.stored() == ours.next)
    }
}

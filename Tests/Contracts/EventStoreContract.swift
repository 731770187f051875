import Appointments
import EventStore
import TestEngines
import Testing

@Suite("The contract of EventStore")
struct EventStoreContract {
    private let stream = Samples.appointment(1).stream

    @Test("a stream that nobody wrote has no events", arguments: Engine.ofStores)
    func unknownStream(engine: Engine) async throws {
        #expect(try await engine.make().store.read(stream).isEmpty)
    }

    @Test("an event reads back as it was appended, with its sealed fields", arguments: Engine.ofStores)
    func readBack(engine: Engine) async throws {
        let store = try await engine.make().store
        let field = try Samples.sealed("00123", stream: stream)
        let event = try Samples.requested(1, personal: [field])
        let appended = try #require(try await store.append([event], to: stream, expecting: .empty).first)
        let entry = try Entry(event, stream: stream, version: 1, previous: nil)
        let stored = try #require(try await store.read(stream).first)
        for event in [appended, stored] {
            #expect(event.entry.bytes == entry.bytes)
            #expect(event.leaf == .leaf(of: entry.bytes))
            #expect(event.sealed == ["insured": field.sealed])
            #expect(event.position == (engine.givesPositions ? 1 : nil))
        }
    }

    @Test("versions count from 1 and each links to the leaf before", arguments: Engine.ofStores)
    func chain(engine: Engine) async throws {
        let store = try await engine.make().store
        _ = try await store.append([try Samples.requested(1)], to: stream, expecting: .empty)
        _ = try await store.append([Samples.later(2), Samples.later(3)], to: stream, expecting: .version(1))
        _ = try await store.append([Samples.later(4)], to: stream, expecting: .any)
        let events = try await store.read(stream)
        #expect(events.map(\.version) == [1, 2, 3, 4])
        #expect(events.map(\.entry.previous) == [nil] + events.dropLast().map(\.leaf))
    }

    @Test("a stream is read from a version on", arguments: Engine.ofStores, [Int.min, 0, 1, 2, 3, 4, Int.max])
    func readFrom(engine: Engine, version: Int) async throws {
        let store = try await engine.make().store
        let events = [try Samples.requested(1), Samples.later(2), Samples.later(3)]
        _ = try await store.append(events, to: stream, expecting: .empty)
        let read = try await store.read(stream, from: version).map(\.version)
        #expect(read == [1, 2, 3].filter { $0 >= version })
    }

    @Test("a writer that expects another version is refused and nothing is written", arguments: Engine.ofStores)
    func staleWriter(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await ledger.store.append(
            [try Samples.requested(1), Samples.later(2)], to: stream, expecting: .empty)
        for expectation in [Expectation.empty, .version(0), .version(1), .version(3), .version(.max)] {
            let code = await failure {
                try await ledger.store.append([Samples.later(9)], to: stream, expecting: expectation)
            }
            #expect(code == .conflict(expected: expectation, actual: 2))
        }
        #expect(try await ledger.store.read(stream).count == 2)
        #expect(try await ledger.eventCount() == 2)
    }

    @Test("a writer to an empty stream who expects events is refused", arguments: Engine.ofStores)
    func expectsTooMuch(engine: Engine) async throws {
        let store = try await engine.make().store
        let event = try Samples.requested(1)
        let code = await failure { try await store.append([event], to: stream, expecting: .version(1)) }
        #expect(code == .conflict(expected: .version(1), actual: 0))
    }

    @Test("a call that makes no sense is invalid", arguments: Engine.ofStores)
    func invalid(engine: Engine) async throws {
        let ledger = try await engine.make()
        let store = ledger.store
        let event = try Samples.requested(1)
        #expect(await failure { try await store.append([], to: stream, expecting: .empty) } == .invalid)
        #expect(await failure { try await store.append([event], to: stream, expecting: .version(-1)) } == .invalid)
        let personal = try Samples.requested(1, personal: [try Samples.sealed("00123", stream: stream)])
        #expect(await failure { try await store.append([personal], to: stream, expecting: .any) } == .invalid)
        #expect(try await ledger.eventCount() == 0)
    }

    @Test("of two writers that race for a version, one wins", arguments: Engine.ofStores)
    func race(engine: Engine) async throws {
        let store = try await engine.make().store
        let stream = stream
        _ = try await store.append([try Samples.requested(1)], to: stream, expecting: .empty)
        let codes = await withTaskGroup(of: EventStoreError.Code?.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    await failure {
                        try await store.append([Samples.later(10 + writer)], to: stream, expecting: .version(1))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 1)
        #expect(codes.contains(.conflict(expected: .version(1), actual: 2)))
        #expect(try await store.read(stream).count == 2)
    }

    @Test("a retry whose first answer was lost succeeds and writes nothing", arguments: Engine.ofStores)
    func retry(engine: Engine) async throws {
        let ledger = try await engine.make()
        let field = try Samples.sealed("00123", stream: stream)
        let events = [try Samples.requested(1, personal: [field]), Samples.later(2)]
        let first = try await ledger.store.append(events, to: stream, expecting: .empty)
        _ = try await ledger.store.append([Samples.later(3)], to: stream, expecting: .version(2))
        let second = try await ledger.store.append(events, to: stream, expecting: .empty)
        #expect(second.map(\.leaf) == first.map(\.leaf))
        #expect(second.map(\.version) == [1, 2])
        if engine.givesPositions { #expect(second.map(\.position) == [1, 2]) }
        #expect(second.first?.sealed == ["insured": field.sealed])
        #expect(try await ledger.eventCount() == 3)
    }

    @Test("a retry in the middle of a stream succeeds", arguments: Engine.ofStores)
    func retryOfLaterEvent(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await ledger.store.append([try Samples.requested(1)], to: stream, expecting: .empty)
        for _ in 0..<3 {
            let events = try await ledger.store.append([Samples.later(2)], to: stream, expecting: .version(1))
            #expect(events.map(\.version) == [2])
        }
        #expect(try await ledger.eventCount() == 2)
    }

    @Test("the same id with other content is a conflict, no retry", arguments: Engine.ofStores)
    func sameIDOtherContent(engine: Engine) async throws {
        let store = try await engine.make().store
        _ = try await store.append([try Samples.requested(1)], to: stream, expecting: .empty)
        let other = try Samples.requested(1, actor: "key:other")
        let code = await failure { try await store.append([other], to: stream, expecting: .empty) }
        #expect(code == .conflict(expected: .empty, actual: 1))
    }

    @Test("a batch of which only the beginning is stored is a conflict", arguments: Engine.ofStores)
    func longerRetry(engine: Engine) async throws {
        let store = try await engine.make().store
        let first = try Samples.requested(1)
        _ = try await store.append([first], to: stream, expecting: .empty)
        let code = await failure { try await store.append([first, Samples.later(2)], to: stream, expecting: .empty) }
        #expect(code == .conflict(expected: .empty, actual: 1))
        #expect(try await store.read(stream).count == 1)
    }

    @Test("twenty writers of the very same event make one event", arguments: Engine.ofStores)
    func idempotent(engine: Engine) async throws {
        let ledger = try await engine.make()
        let (store, stream) = (ledger.store, stream)
        let event = try Samples.requested(1)
        let codes = await withTaskGroup(of: EventStoreError.Code?.self) { group in
            for _ in 0..<20 {
                group.addTask { await failure { try await store.append([event], to: stream, expecting: .empty) } }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes == Array(repeating: nil, count: 20))
        #expect(try await ledger.eventCount() == 1)
    }

    @Test("a batch is appended whole or not at all", arguments: Engine.ofStores)
    func batch(engine: Engine) async throws {
        let ledger = try await engine.make()
        let large = Samples.later(3, topic: String(repeating: "x", count: Entry.maximumBytes))
        let events = [try Samples.requested(1), Samples.later(2), large]
        let code = await failure { try await ledger.store.append(events, to: stream, expecting: .empty) }
        #expect(code == .tooLarge)
        #expect(try await ledger.store.read(stream).isEmpty)
        #expect(try await ledger.eventCount() == 0)
        let other = Samples.appointment(2).stream
        let event = try Samples.requested(5)
        let position = try await ledger.store.append([event], to: other, expecting: .empty).first?.position
        #expect(position == (engine.givesPositions ? 1 : nil))
    }

    @Test("an entry of exactly the largest size is stored; one byte more is refused", arguments: Engine.ofStores)
    func sizeLimit(engine: Engine) async throws {
        let store = try await engine.make().store
        let first = try Samples.requested(1)
        let head = try #require(try await store.append([first], to: stream, expecting: .empty).first)
        let empty = try Entry(Samples.later(2, topic: ""), stream: stream, version: 2, previous: head.leaf)
        let room = Entry.maximumBytes - empty.bytes.count
        let tooLarge = Samples.later(2, topic: String(repeating: "x", count: room + 1))
        #expect(await failure { try await store.append([tooLarge], to: stream, expecting: .version(1)) } == .tooLarge)
        let largest = Samples.later(2, topic: String(repeating: "x", count: room))
        let stored = try await store.append([largest], to: stream, expecting: .version(1))
        #expect(stored.first?.entry.bytes.count == Entry.maximumBytes)
        #expect(try await store.read(stream, from: 2).first?.entry.bytes == stored.first?.entry.bytes)
    }
}

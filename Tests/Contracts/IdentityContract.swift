import Appointments
import EventStore
import TestEngines
import Testing

@Suite("The contract of IdentityStore")
struct IdentityContract {
    private let id = Samples.id(900)
    private let now = Samples.noon

    private func store(_ engine: Engine) async throws -> any EventStore & IdentityStore {
        try #require(try await engine.make().store as? any EventStore & IdentityStore)
    }

    private func append(_ numbers: ClosedRange<Int>, to store: any EventStore, correlation: String = "c-1") async throws
    {
        for number in numbers {
            _ = try await store.append(
                [Samples.requested(number, correlation: correlation)], to: Samples.appointment(number).stream,
                expecting: .empty)
        }
    }

    @Test("an epoch begins behind the one that was read, and no other", arguments: Engine.available)
    func begins(engine: Engine) async throws {
        let store = try await store(engine)
        #expect(try await store.identity() == nil)
        let first = LedgerIdentity(id: id, epoch: 1)
        #expect(try await store.begin(first, after: nil, at: now))
        #expect(try await store.begin(LedgerIdentity(id: Samples.id(901), epoch: 1), after: nil, at: now) == false)
        #expect(try await store.begin(first.next, after: first, at: now))
        #expect(try await store.begin(first.next, after: first, at: now) == false)
        #expect(try await store.identity() == first.next)
    }

    @Test("a mark is a position with the leaf of the event there", arguments: Engine.available)
    func marks(engine: Engine) async throws {
        let store = try await store(engine)
        #expect(try await store.lastMark() == LogMark(position: 0, leaf: nil))
        try await append(1...3, to: store)
        let leaf = try await store.read(Samples.appointment(3).stream).first?.leaf
        #expect(try await store.lastMark() == LogMark(position: 3, leaf: leaf))
        #expect(try await store.mark(at: 3).leaf == leaf)
        #expect(try await store.mark(at: 4) == LogMark(position: 4, leaf: nil))
    }

    @Test("a ledger that is opened as it was seen keeps its epoch", arguments: Engine.available)
    func same(engine: Engine) async throws {
        let store = try await store(engine)
        try await append(1...2, to: store)
        let first = try await store.open(seen: nil, newID: id, now: now)
        guard case .first(let seen) = first else { return #expect(Bool(false), "\(first)") }
        #expect(seen.identity == LedgerIdentity(id: id, epoch: 1) && seen.last.position == 2)
        try await append(3...4, to: store)
        let again = try await store.open(seen: seen, newID: Samples.id(901), now: now)
        guard case .asSeen(let later) = again else { return #expect(Bool(false), "\(again)") }
        #expect(later.identity == seen.identity && later.last.position == 4)
        // What was remembered may lag behind an epoch that its beginner did not live to note.
        #expect(try await store.begin(seen.identity.next, after: seen.identity, at: now))
        let lagging = try await store.open(seen: seen, newID: id, now: now)
        #expect(lagging == .asSeen(later.in(seen.identity.next)))
    }

    @Test(
        "a ledger that holds less than was seen, another history or an older epoch begins a new epoch",
        arguments: Engine.available)
    func putBack(engine: Engine) async throws {
        let seen = try await seen(of: try await store(engine), events: 1...5)
        for (events, correlation, epoch) in [
            (1...3, "c-1", 1), (1...5, "c-2", 1), (1...9, "c-2", 1), (1...9, "c-1", 4),
        ] {
            let copy = try await store(engine)
            #expect(try await copy.begin(seen.identity, after: nil, at: now))
            try await append(1...1, to: copy)
            if events.upperBound > 1 { try await append(2...events.upperBound, to: copy, correlation: correlation) }
            let remembered = seen.in(LedgerIdentity(id: id, epoch: epoch))
            let opening = try await copy.open(seen: remembered, newID: id, now: now)
            guard case .putBack(let found, from: remembered) = opening else {
                return #expect(Bool(false), "\(events) \(correlation): \(opening)")
            }
            #expect(found.identity.epoch == epoch + 1 && found.last.position == events.upperBound)
            #expect(try await copy.identity() == found.identity)
        }
    }

    @Test("an old copy without an identity is known by its first event", arguments: Engine.available)
    func oldCopy(engine: Engine) async throws {
        let seen = try await seen(of: try await store(engine), events: 1...5)
        let copy = try await store(engine)
        try await append(1...2, to: copy)
        let opening = try await copy.open(seen: seen, newID: Samples.id(901), now: now)
        #expect(opening.seen.identity == seen.identity.next)
        let stranger = try await store(engine)
        try await append(7...9, to: stranger)
        #expect(await failure { try await stranger.open(seen: seen, newID: id, now: now) } == .invalid)
        let empty = try await store(engine)
        #expect(await failure { try await empty.open(seen: seen, newID: id, now: now) } == .invalid)
    }

    @Test("another ledger is refused where one was seen", arguments: Engine.available)
    func another(engine: Engine) async throws {
        let seen = try await seen(of: try await store(engine), events: 1...2)
        let other = try await store(engine)
        try await append(1...4, to: other)
        _ = try await other.open(seen: nil, newID: Samples.id(901), now: now)
        #expect(await failure { try await other.open(seen: seen, newID: id, now: now) } == .invalid)
    }

    private func seen(
        of store: any EventStore & IdentityStore, events: ClosedRange<Int>
    ) async throws -> SeenLedger {
        try await append(events, to: store)
        return try await store.open(seen: nil, newID: id, now: now).seen
    }
}

extension SeenLedger {
    /// The same in another epoch.
    fileprivate func `in`(_ identity: LedgerIdentity) -> SeenLedger {
        SeenLedger(identity: identity, first: first, last: last)
    }
}

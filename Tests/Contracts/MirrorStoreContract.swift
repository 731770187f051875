import Appointments
import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import TestEngines
import TestPostgres
import Testing

/// A batch of entries, and nothing else.
private func batch(_ entries: [RecordedEvent], checkpoint: Int = 0) -> MirrorBatch {
    var batch = MirrorBatch(checkpoint: checkpoint)
    batch.entries = entries
    return batch
}

private let empty = MirrorState(position: 0, checkpoint: 0)

@Suite("The contract of MirrorStore", .dropsDatabases)
struct MirrorStoreContract {
    private let now = Samples.noon

    @Test("PostgreSQL keeps the contract as well", .enabled(if: TestCluster.isThere, TestCluster.reason))
    func postgres() { #expect(MirrorEngine.available.contains(.postgres)) }

    @Test("entries, rows, head and checkpoint move together", arguments: MirrorEngine.available)
    func append(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        #expect(try await mirror.state() == empty)
        let events = try await histories.append(2, to: 1)
        var first = batch(events, checkpoint: 7)
        first.rows = [try Samples.row(1, version: 2)]
        #expect(try await mirror.append(first, expecting: empty))
        #expect(try await mirror.state() == MirrorState(position: 2, checkpoint: 7))
        let known = try await mirror.streams([1, 2].map { Samples.appointment($0).stream })
        #expect(known.count == 1)
        let held = try #require(known[Samples.appointment(1).stream])
        #expect(held.head.version == 2)
        #expect(held.head.leaf == events[1].leaf)
        #expect(held.row == first.rows[0])
        let more = try await histories.append(1, to: 1)
        var second = batch(more, checkpoint: 7)
        second.rows = [try Samples.row(1, insured: nil, version: 3)]
        #expect(try await mirror.append(second, expecting: MirrorState(position: 2, checkpoint: 7)))
        #expect(try await mirror.streams([Samples.appointment(1).stream]).values.first?.row == second.rows[0])
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 7))
    }

    @Test("entries are answered by place; places that it does not hold are missing", arguments: MirrorEngine.available)
    func entries(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(3, to: 1)
        #expect(try await mirror.append(batch(events), expecting: empty))
        let stranger = EventPlace(stream: Samples.appointment(2).stream, version: 1)
        let beyond = EventPlace(stream: events[0].stream, version: 4)
        let entries = try await mirror.entries(at: [events[2].place, stranger, beyond, events[0].place])
        #expect(
            entries == [
                events[0].place: MirroredEntry(position: 1, leaf: events[0].leaf),
                events[2].place: MirroredEntry(position: 3, leaf: events[2].leaf),
            ])
        #expect(try await mirror.entries(at: []).isEmpty)
    }

    @Test("a worker that another was faster than writes nothing", arguments: MirrorEngine.available)
    func fenced(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let (one, other) = (try await histories.append(2, to: 1), try await histories.append(2, to: 2))
        #expect(try await mirror.append(batch(one, checkpoint: 2), expecting: empty))
        var late = batch(other, checkpoint: 4)
        late.rows = [try Samples.row(2, version: 2)]
        late.conflicts = [MirrorConflict(event: other[0], reason: "late", at: now)]
        for stale in [empty, MirrorState(position: 2, checkpoint: 0), MirrorState(position: 0, checkpoint: 2)] {
            #expect(try await mirror.append(late, expecting: stale) == false)
        }
        #expect(try await mirror.state() == MirrorState(position: 2, checkpoint: 2))
        #expect(try await mirror.streams([other[0].stream]).isEmpty)
        #expect(try await mirror.conflicts(limit: 10).isEmpty)
    }

    @Test("a batch that passes over what the mirror does not hold writes nothing", arguments: MirrorEngine.available)
    func unfounded(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let (one, other) = (try await histories.append(2, to: 1), try await histories.append(1, to: 2))
        let gone = MirrorBatch(checkpoint: 2, held: [one[1].place: one[1].leaf])
        #expect(try await mirror.append(gone, expecting: empty) == false)
        var beside = batch(other, checkpoint: 3)
        beside.held = [one[0].place: one[0].leaf]
        #expect(try await mirror.append(beside, expecting: empty) == false)
        #expect(try await mirror.state() == empty)
        #expect(try await mirror.append(batch(one, checkpoint: 2), expecting: empty))
        let state = MirrorState(position: 2, checkpoint: 2)
        let changed = MirrorBatch(checkpoint: 3, held: [one[1].place: one[0].leaf])
        #expect(try await mirror.append(changed, expecting: state) == false)
        #expect(try await mirror.append(beside, expecting: state))
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 3))
    }

    @Test("of many workers at one place one writes", arguments: MirrorEngine.available)
    func race(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(3, to: 1)
        let written = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { try await mirror.append(batch(events, checkpoint: 3), expecting: empty) }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(written == 1)
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 3))
    }

    @Test("a batch that would leave a hole or break a chain writes nothing", arguments: MirrorEngine.available)
    func hole(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(3, to: 1)
        // The same appointment with another history from version 2 on.
        let others = Histories()
        try await others.append(1, to: 1)
        let other = try await others.append(2, to: 1, topic: "elsewhere")
        for entries in [[events[1]], [events[0], events[2]], [events[0], other[1]]] {
            #expect(await failure { try await mirror.append(batch(entries), expecting: empty) } == .corrupt)
        }
        #expect(try await mirror.state() == empty)
    }

    @Test(
        "what it holds already is passed over; another event in its place is kept aside with all that follow it",
        arguments: MirrorEngine.available)
    func taken(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(2, to: 1)
        #expect(try await mirror.append(batch(events), expecting: empty))
        let others = Histories()
        try await others.append(1, to: 1)
        let forged = try await others.append(2, to: 1, topic: "elsewhere")
        let neighbour = try await histories.append(1, to: 2)
        let more = try await histories.append(1, to: 1)
        #expect(
            try await mirror.append(
                batch([events[1]] + forged + neighbour, checkpoint: 5),
                expecting: MirrorState(position: 2, checkpoint: 0)))
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 5))
        #expect(try await mirror.conflicts(limit: 10).map(\.event.leaf) == forged.map(\.leaf))
        #expect(try await mirror.append(batch(more), expecting: MirrorState(position: 3, checkpoint: 5)))
        #expect(try await mirror.entries(at: more.map(\.place)).count == 1)
    }

    @Test("a conflict is kept whole, and once", arguments: MirrorEngine.available)
    func conflicts(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(3, to: 1)
        var first = MirrorBatch(checkpoint: 1)
        first.conflicts = events.prefix(2).map { MirrorConflict(event: $0, reason: "another history", at: now) }
        #expect(try await mirror.append(first, expecting: empty))
        var second = MirrorBatch(checkpoint: 2)
        second.conflicts = events.suffix(2).map { MirrorConflict(event: $0, reason: "again", at: now) }
        #expect(try await mirror.append(second, expecting: MirrorState(position: 0, checkpoint: 1)))
        let kept = try await mirror.conflicts(limit: 10)
        #expect(kept.map(\.event.leaf) == events.map(\.leaf))
        #expect(kept.map(\.event.entry.bytes) == events.map(\.entry.bytes))
        #expect(kept.map(\.reason) == ["another history", "another history", "again"])
        #expect(kept.map(\.at) == [now, now, now])
        #expect(try await mirror.conflicts(limit: 1).count == 1)
        #expect(try await mirror.conflicts(limit: -1).isEmpty)
    }
}

extension MirrorStoreContract {
    /// Three events of one appointment and two of another, in the mirror.
    private func filled(_ engine: MirrorEngine) async throws -> (mirror: AnyMirror, events: [RecordedEvent]) {
        let (mirror, histories) = (try await engine.makeOwned(), Histories())
        let events = try await histories.append(3, to: 1) + histories.append(2, to: 2)
        #expect(try await mirror.append(batch(events, checkpoint: 5), expecting: empty))
        return (mirror, events)
    }

    private func place(_ events: [RecordedEvent], _ position: Int) -> MirroredPlace {
        let event = events[position - 1]
        return MirroredPlace(position: position, place: event.place, leaf: event.leaf)
    }

    @Test(
        "an entry gives way to another only where it was seen, and nothing is done by half",
        arguments: MirrorEngine.available)
    func mend(engine: MirrorEngine) async throws {
        let (mirror, events) = try await filled(engine)
        let wrong = MirroredPlace(position: 2, place: events[1].place, leaf: events[2].leaf)
        #expect(try await mirror.mend([], removing: [place(events, 3), wrong]) == false)
        let gone = MirroredPlace(position: 6, place: events[1].place, leaf: events[1].leaf)
        #expect(try await mirror.mend([], removing: [place(events, 3), gone]) == false)
        // Something stands there, or the event stands elsewhere, and neither was seen.
        #expect(try await mirror.mend([events[2]], removing: []) == false)
        let elsewhere = RecordedEvent(position: 6, entry: events[2].entry, leaf: events[2].leaf, sealed: [:])
        #expect(try await mirror.mend([elsewhere], removing: []) == false)
        #expect(try await mirror.places(after: 0, limit: 10) == (1...5).map { place(events, $0) })
        #expect(try await mirror.mend([events[2]], removing: [place(events, 3)]))
        #expect(try await mirror.places(after: 0, limit: 10) == (1...5).map { place(events, $0) })
    }

    @Test("the head goes back with what is cut off, unless the mirror has moved", arguments: MirrorEngine.available)
    func cut(engine: MirrorEngine) async throws {
        let (mirror, events) = try await filled(engine)
        let state = MirrorState(position: 5, checkpoint: 5)
        for stale in [MirrorState(position: 4, checkpoint: 5), MirrorState(position: 5, checkpoint: 4)] {
            #expect(try await mirror.cut([place(events, 5)], expecting: stale) == false)
        }
        let wrong = MirroredPlace(position: 5, place: events[4].place, leaf: events[0].leaf)
        #expect(try await mirror.cut([wrong], expecting: state) == false)
        #expect(try await mirror.state() == state)
        #expect(try await mirror.cut([place(events, 4), place(events, 5)], expecting: state))
        #expect(try await mirror.state() == MirrorState(position: 3, checkpoint: 5))
        #expect(
            try await mirror.append(
                batch(Array(events.suffix(2)), checkpoint: 5), expecting: MirrorState(position: 3, checkpoint: 5)))
        #expect(try await mirror.places(after: 0, limit: 10) == (1...5).map { place(events, $0) })
    }

    @Test("a row is written over only while its appointment is as it was folded", arguments: MirrorEngine.available)
    func mendRows(engine: MirrorEngine) async throws {
        let (mirror, _) = try await filled(engine)
        let (one, two, three) = (Samples.appointment(1), Samples.appointment(2), Samples.appointment(3))
        let row = try Samples.row(1, version: 3)
        #expect(try await mirror.mend([one: MirroredFold(version: 3, row: row)]).isEmpty)
        #expect(try await mirror.row(one) == row)
        #expect(
            try await mirror.mend([
                one: MirroredFold(version: 2, row: try Samples.row(1, version: 2)),
                two: MirroredFold(version: 0, row: nil), three: MirroredFold(version: 0, row: nil),
            ]) == [one, two])
        #expect(try await mirror.row(one) == row)
        #expect(try await mirror.appointments(in: .rest(after: nil)) == [one])
        #expect(try await mirror.mend([one: MirroredFold(version: 3, row: nil)]).isEmpty)
        #expect(try await mirror.row(one) == nil)
    }
}

@Suite("A mirror follows a feed", .dropsDatabases)
struct MirrorRunnerTests {
    private let now = Samples.noon

    /// Every place that the store holds is in the mirror with its leaf, and there is no other.
    private func expectEqual(_ mirror: any MirrorStore, _ store: MemoryEventStore) async throws {
        let events = try await store.events(after: 0, limit: 10_000)
        #expect(try await mirror.state().position == events.count)
        #expect(
            try await mirror.entries(at: events.map(\.place)).mapValues(\.leaf)
                == Dictionary(uniqueKeysWithValues: events.map { ($0.place, $0.leaf) }))
    }

    @Test("it takes the feed in steps of any size", arguments: MirrorEngine.available, [1, 3, 1000])
    func steps(engine: MirrorEngine, limit: Int) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        for number in 1...4 { try await histories.append(2, to: number) }
        for number in 2...3 { try await histories.append(2, to: number) }
        let runner = try histories.runner(into: mirror)
        while try await runner.step(now: now, limit: limit).events > 0 {}
        try await expectEqual(mirror, histories.store)
        #expect(try await mirror.state() == MirrorState(position: 12, checkpoint: 12))
        let held = try await mirror.streams([Samples.appointment(2).stream])
        #expect(held.values.first?.head.version == 4)
        #expect(held.values.first?.row?.version == 4)
    }

    @Test("records that come shuffled, twice and with gaps are put in order", arguments: MirrorEngine.available)
    func shuffled(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        var records: [RecordedEvent] = []
        for number in 1...3 { records += try await histories.append(4, to: number) }
        let runner = try histories.runner(into: mirror)
        // The last of each comes alone: what is before it is fetched.
        try await runner.take(in: records.filter { $0.version == 4 }, now: now)
        try await runner.take(in: (records + records).shuffled(), now: now)
        try await expectEqual(mirror, histories.store)
        #expect(try await mirror.conflicts(limit: 1).isEmpty)
    }

    @Test(
        "another event in a place that is taken is kept beside it, and stops that appointment alone",
        arguments: MirrorEngine.available)
    func conflict(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let events = try await histories.append(2, to: 1)
        let runner = try histories.runner(into: mirror)
        try await runner.take(in: events, now: now)
        let others = Histories()
        try await others.append(1, to: 1)
        let forged = try await others.append(2, to: 1, topic: "elsewhere")
        let neighbour = try await histories.append(1, to: 2)
        try await runner.take(in: forged + neighbour, now: now)
        #expect(try await mirror.conflicts(limit: 10).map(\.event.leaf) == forged.map(\.leaf))
        #expect(try await mirror.entries(at: [events[1].place])[events[1].place]?.leaf == events[1].leaf)
        #expect(try await mirror.state().position == 3)
    }

    @Test("a damaged record is replaced by what the store holds", arguments: MirrorEngine.available)
    func damaged(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        let event = try await histories.append(1, to: 1)[0]
        let damaged = RecordedEvent(
            position: event.position, entry: event.entry, leaf: Hash(of: [1]), sealed: event.sealed)
        try await histories.runner(into: mirror).take(in: [damaged], now: now)
        try await expectEqual(mirror, histories.store)
    }

    @Test("two workers at one feed leave no entry twice", arguments: MirrorEngine.available)
    func twoWorkers(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        for number in 1...20 { try await histories.append(4, to: number) }
        let now = now
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                let runner = try histories.runner(into: mirror)
                group.addTask { while try await runner.step(now: now, limit: 3).events > 0 {} }
            }
            try await group.waitForAll()
        }
        try await expectEqual(mirror, histories.store)
    }

    @Test("a mirror that lost entries behind its checkpoint is filled again", arguments: MirrorEngine.available)
    func backfill(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        for number in 1...5 { try await histories.append(3, to: number) }
        // Its checkpoint says 15, and it holds nothing: as a copy that was restored beside a newer checkpoint.
        #expect(try await mirror.append(MirrorBatch(checkpoint: 15), expecting: empty))
        let runner = try histories.runner(into: mirror)
        #expect(try await runner.step(now: now).events == 0)
        var seen: [Int] = []
        try await runner.backfill(now: now, limit: 4) { seen.append($0) }
        #expect(seen == [4, 8, 12, 15])
        try await expectEqual(mirror, histories.store)
    }

    @Test(
        "what is missing before an event is kept aside with it when it contradicts", arguments: MirrorEngine.available)
    func contradictingGap(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        try await histories.runner(into: mirror).take(in: try await histories.append(2, to: 1), now: now)
        // This store has another second version, and the record of its fourth comes first.
        let others = Histories()
        try await others.append(1, to: 1)
        let forged = try await others.append(3, to: 1, topic: "elsewhere")
        try await others.runner(into: mirror).take(in: [forged[2]], now: now)
        #expect(try await mirror.conflicts(limit: 10).map(\.event.leaf) == forged.dropFirst().map(\.leaf))
        #expect(try await mirror.state().position == 2)
    }

    @Test("a backfill in batches of any size holds each row as the events make it", arguments: [1, 2, 7, 100])
    func batches(limit: Int) async throws {
        for engine in MirrorEngine.available {
            let (mirror, histories) = (try await engine.make(), Histories())
            for round in 0..<3 {
                for number in 1...6 where number % 3 != round { try await histories.append(1 + number % 2, to: number) }
            }
            let runner = try histories.runner(into: mirror)
            try await runner.backfill(now: now, limit: limit)
            try await expectEqual(mirror, histories.store)
            let head = try await histories.store.head()
            #expect(try await mirror.state() == MirrorState(position: head, checkpoint: head))
            for row in try await mirror.rows(in: .rest(after: nil)) {
                let events = histories.store.readNow(row.appointment.stream)
                #expect(row == (try AppointmentProjection.fold(events, insured: nil)))
            }
            // Again: all is there, and nothing changes.
            try await runner.backfill(now: now, limit: limit)
            try await expectEqual(mirror, histories.store)
            #expect(try await mirror.conflicts(limit: 1).isEmpty)
        }
    }

    @Test(
        "backfills and workers that move the mirror under each other leave it whole", arguments: MirrorEngine.available)
    func backfillsBeside(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        for number in 1...20 { try await histories.append(4, to: number) }
        let now = now
        try await withThrowingTaskGroup { group in
            for _ in 0..<2 {
                let runner = try histories.runner(into: mirror)
                group.addTask { try await runner.backfill(now: now, limit: 3) }
                group.addTask { while try await runner.step(now: now, limit: 2).events > 0 {} }
            }
            try await group.waitForAll()
        }
        try await expectEqual(mirror, histories.store)
        #expect(try await mirror.conflicts(limit: 1).isEmpty)
    }

    @Test("what was read before the feed failed is in the mirror", arguments: MirrorEngine.available)
    func failingFeed(engine: MirrorEngine) async throws {
        let (mirror, histories) = (try await engine.make(), Histories())
        for number in 1...5 { try await histories.append(2, to: number) }
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        let runner = MirrorRunner(
            feed: EndingFeed(feed: histories.store, end: 6), store: histories.store, mirror: mirror,
            people: PersonResolver(directory: MemorySubjectDirectory(), keys: keys))
        #expect(await failure { try await runner.backfill(now: now, limit: 3) } == .corrupt)
        #expect(try await mirror.state() == MirrorState(position: 6, checkpoint: 6))
    }
}

/// A feed that can't be read behind a position.
private struct EndingFeed: EventFeed {
    let feed: MemoryEventStore
    let end: Int

    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        guard position < end else { throw EventStoreError(.corrupt, message: "position \(end + 1) is damaged") }
        return try await feed.events(after: position, limit: limit)
    }

    func head() async throws(EventStoreError) -> Int { try await feed.head() }
}

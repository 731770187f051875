import Appointments
import EventStore
import Projections
import Replay
import Synchronization
import TestEngines
import Testing

@Suite("The contract of ViewCopies and StreamScan")
struct RebuildContract {
    private let now = Samples.noon

    private func rebuild(_ ledger: TestEngine, sets: (any ViewCopies)? = nil, rangeEvents: Int = 3) -> Rebuild {
        var sizes = Rebuild.Sizes()
        (sizes.rangeEvents, sizes.ranges, sizes.rows, sizes.stepEvents) = (rangeEvents, 3, 4, 5)
        return Rebuild(
            scan: ledger.scan, feed: ledger.feed, sets: sets ?? ledger.sets, people: ledger.people, sizes: sizes)
    }

    @Test("a rebuild makes the rows that the events make, and the swap puts them in place", arguments: Engine.ofStores)
    func swap(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 25, seed: 1)
        #expect(try await ledger.allRows().isEmpty == !engine.writesViewsWithEvents)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        let found = try await ledger.sets.compare(ViewCopy.next, limit: 100)
        #expect(found.differences == (engine.writesViewsWithEvents ? 0 : 25))
        let outcome = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        #expect(outcome == .swapped(position: history.events))
        #expect(try await ledger.allRows() == history.rows)
        #expect(try await ledger.projections.checkpoint(of: ProjectionRunner.projection) == history.events)
        #expect(try await ledger.sets.sets().isEmpty)
        #expect(await failure { try await ledger.sets.compare(ViewCopy.next, limit: 1) } == .invalid)
    }

    @Test("added, missing and changed rows are told apart, each with both of its rows", arguments: Engine.ofStores)
    func compare(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 4, seed: 2)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        var changed = history.rows[0]
        (changed.status, changed.version) = (.failed, 9)
        let stray = try Samples.row(999)
        try await ledger.projections.put([changed, stray], parking: [], by: ProjectionRunner.projection)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        let found = try await ledger.sets.compare(ViewCopy.next, limit: 100)
        #expect(found.equal == 3)
        #expect(found.counts == [.changed: 1, .missing: 1])
        #expect(
            Set(found.first.map(\.kind)) == [.changed, .missing] && found.first.count == 2)
        let difference = try #require(found.first.first { $0.kind == .changed })
        #expect((difference.live, difference.rebuilt) == (changed, history.rows[0]))
        #expect(try await ledger.sets.compare(ViewCopy.next, limit: 1).first.count == 1)
    }

    @Test("a swap that covers less than the live set is refused, and changes nothing", arguments: Engine.ofStores)
    func uncovered(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await RandomHistory.write(to: ledger, streams: 3, seed: 3)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        let stray = try Samples.row(999)
        try await ledger.projections.put([stray], parking: [], by: ProjectionRunner.projection)
        let before = try await ledger.allRows()
        let refused = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        #expect(refused == .uncovered(rows: 1))
        #expect(try await ledger.allRows() == before)
        let done = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: false, now: now)
        #expect(done != refused)
        #expect(try await ledger.views.row(stray.appointment) == nil)
    }

    @Test(
        "a swap is refused where a live row claims to be further than its events, and changes nothing",
        arguments: Engine.ofStores)
    func further(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 3, seed: 14)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        var further = history.rows[1]
        further.version += 1
        try await ledger.projections.put([further], parking: [], by: ProjectionRunner.projection)
        let before = try await ledger.allRows()
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        #expect(try await ledger.sets.compare(ViewCopy.next, limit: 10).further == 1)
        let refused = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        #expect(refused == .uncovered(rows: 1))
        #expect(try await ledger.allRows() == before)
        _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: false, now: now)
        #expect(try await ledger.allRows() == history.rows)
    }

    @Test("a swap is refused while an operator holds the live projection", arguments: Engine.ofStores)
    func held(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 3, seed: 15)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        let before = try await ledger.allRows()
        try await ledger.control.pause(ProjectionRunner.projection, at: now)
        func swap() async throws(EventStoreError) -> SwapOutcome {
            try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        }
        #expect(try await swap() == .held(since: now))
        #expect(try await ledger.allRows() == before)
        _ = try await ledger.control.resume(ProjectionRunner.projection)
        #expect(try await swap() == .swapped(position: history.events))
    }

    @Test(
        "the old set is kept where that is asked for, and comes back with what was appended since",
        arguments: Engine.ofStores)
    func rollback(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await RandomHistory.write(to: ledger, streams: 5, seed: 4)
        for _ in 0..<2 {
            try await rebuild(ledger).build(ViewCopy.next, now: now)
            _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: ViewCopy.kept, coversAll: true, now: now)
        }
        #expect(try await ledger.sets.sets().map(\.name) == [ViewCopy.kept])
        let more = try await RandomHistory.write(to: ledger, streams: 5, seed: 5, first: 100)
        _ = try await rebuild(ledger).swap(ViewCopy.kept, keepingAs: ViewCopy.kept, coversAll: true, now: now)
        let rows = try await ledger.allRows()
        #expect(more.rows.allSatisfy(rows.contains))
        #expect(rows.count == 10)
        #expect(try await ledger.sets.sets().map(\.name) == [ViewCopy.kept])
    }

    @Test("a rebuild that is stopped anywhere goes on there, and ends with the same bytes", arguments: Engine.ofStores)
    func stopped(engine: Engine) async throws {
        // Over the wire two histories take as long as all others do in one process.
        for seed in 10..<(engine == .aws ? 12 : 16) as Range<UInt64> {
            let ledger = try await engine.make()
            let history = try await RandomHistory.write(to: ledger, streams: 20, seed: seed)
            var stops = 0
            while true {
                let failing = FailingSets(ledger.sets, after: stops)
                do throws(EventStoreError) {
                    let rebuild = rebuild(ledger, sets: failing)
                    try await rebuild.build(ViewCopy.next, now: now)
                    _ = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
                    break
                } catch {
                    try #require(error.code == .unavailable, "\(error), seed \(seed)")
                    stops += 1
                }
            }
            #expect(stops > 3)
            #expect(try await ledger.allRows() == history.rows, "seed \(seed)")
        }
    }

    @Test("what is appended while the set is filled is in it before it is live", arguments: Engine.ofStores)
    func traffic(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await RandomHistory.write(to: ledger, streams: 10, seed: 6)
        let head = try await ledger.feed.head()
        var set = try await ledger.sets.begin(
            ViewCopy.next, of: ProjectionRunner.projection, head: head, now: now)
        let range = try #require(try await ledger.scan.range(after: nil, events: .max))
        var rows: [AppointmentRow] = []
        for (_, events) in Dictionary(grouping: try await ledger.scan.events(in: range), by: \.stream) {
            let insured = try await ledger.people.insured(ofAll: events)
            rows.append(try #require(try AppointmentProjection.fold(events, insured: insured.values.first)))
        }
        rows.sort { $0.appointment < $1.appointment }
        set = try await ledger.sets.fill(set, with: rows, through: range.through, events: head)
        let more = try await RandomHistory.write(to: ledger, streams: 10, seed: 7, first: 5)
        try await ledger.sets.seal(set)
        _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        let live = try await ledger.allRows()
        #expect(more.rows.allSatisfy(live.contains))
        #expect(try await ledger.sets.sets().isEmpty)
    }

    @Test("a rebuild and its swap end while events come without a pause", arguments: Engine.ofStores)
    func sustained(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 5, seed: 13)
        let isOver = Mutex(false)
        // Who waits for silence waits until here.
        let patience = ContinuousClock.now + .seconds(300)
        async let traffic: (count: Int, wasEnded: Bool) = {
            var number = 1000
            while !isOver.withLock(\.self), ContinuousClock.now < patience {
                number += 1
                _ = try await ledger.store.append(
                    [try Samples.requested(number)], to: Samples.appointment(number).stream, expecting: .empty)
            }
            return (number - 1000, isOver.withLock(\.self))
        }()
        let rebuild = Rebuild(scan: ledger.scan, feed: ledger.feed, sets: ledger.sets, people: ledger.people)
        try await rebuild.build(ViewCopy.next, now: now)
        let outcome = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        isOver.withLock { $0 = true }
        let (count, wasEnded) = try await traffic
        #expect(wasEnded && count > 0)
        guard case .swapped(let position) = outcome else { throw Refused(outcome: outcome) }
        #expect(position >= history.events)
        let live = try await ledger.allRows()
        #expect(history.rows.allSatisfy(live.contains))
    }

    private struct Refused: Error { let outcome: SwapOutcome }

    @Test("two workers on one set: the second is told", arguments: Engine.ofStores)
    func twoWorkers(engine: Engine) async throws {
        let ledger = try await engine.make()
        let name = ProjectionRunner.projection
        let one = try await ledger.sets.begin(ViewCopy.next, of: name, head: 0, now: now)
        #expect(try await ledger.sets.begin(ViewCopy.next, of: name, head: 7, now: now) == one)
        let stream = Samples.appointment(1).stream
        _ = try await ledger.sets.fill(one, with: [try Samples.row(1)], through: stream, events: 1)
        #expect(await failure { try await ledger.sets.fill(one, with: [], through: stream, events: 0) } == .unavailable)
        #expect(await failure { try await ledger.sets.seal(one) } == .unavailable)
        let other = ConsumerName("appointments", number: 2)
        #expect(try await ledger.sets.begin(ViewCopy.next, of: other, head: 7, now: now).through == nil)
        #expect(await failure { try await ledger.sets.begin("a b", of: name, head: 0, now: now) } == .invalid)
        #expect(try await ledger.sets.drop(ViewCopy.next))
        #expect(try await ledger.sets.drop(ViewCopy.next) == false)
    }

    @Test("a swap unparks what the set holds, and nothing else", arguments: Engine.ofStores)
    func parked(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 2, seed: 11)
        let (held, later) = (history.rows[0], history.rows[1])
        let parked = [
            ParkedEvent(appointment: held.appointment, version: 1, reason: "r", at: now),
            ParkedEvent(appointment: held.appointment, version: held.version, reason: "r", at: now),
            ParkedEvent(appointment: later.appointment, version: later.version + 1, reason: "r", at: now),
        ]
        try await ledger.projections.put([], parking: parked, by: ProjectionRunner.projection)
        try await rebuild(ledger).build(ViewCopy.next, now: now)
        _ = try await rebuild(ledger).swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        #expect(try await ledger.projections.parked(by: ProjectionRunner.projection) == [parked[2]])
        #expect(try await ledger.allRows() == history.rows)
    }

    @Test("a row is mended where its events end, and its parked events go", arguments: Engine.ofStores)
    func mend(engine: Engine) async throws {
        let ledger = try await engine.make()
        let name = ProjectionRunner.projection
        let row = try #require(try await RandomHistory.write(to: ledger, streams: 1, seed: 12).rows.first)
        var damaged = row
        (damaged.status, damaged.version) = (.failed, 99)
        let stray = try Samples.row(999)
        let parked = ParkedEvent(appointment: row.appointment, version: row.version, reason: "r", at: now)
        try await ledger.projections.put([damaged, stray], parking: [parked], by: name)
        var early = row
        early.version -= 1
        #expect(try await ledger.sets.mend(row.appointment, with: early, of: name) == false)
        #expect(try await ledger.views.row(row.appointment) == damaged)
        #expect(try await ledger.sets.mend(row.appointment, with: row, of: name))
        #expect(try await ledger.sets.mend(stray.appointment, with: nil, of: name))
        #expect(try await ledger.allRows() == [row])
        #expect(try await ledger.projections.parked(by: name).isEmpty)
    }

    @Test("an event that can't be folded stops the rebuild and is named", arguments: Engine.ofStores)
    func unreadable(engine: Engine) async throws {
        let ledger = try await engine.make()
        _ = try await RandomHistory.write(to: ledger, streams: 3, seed: 8)
        let context = EventContext(
            at: now, country: .peru, actor: "a", correlation: "c", causation: nil)
        let stranger = NewEvent(
            type: "moved", schema: 1, id: Samples.id(1), at: context.at, country: "PE", actor: "a", correlation: "c",
            causation: nil, data: Array("{}".utf8))
        _ = try await ledger.store.append([stranger], to: Samples.appointment(2).stream, expecting: .any)
        let head = try await ledger.feed.head()
        let error = await #expect(throws: EventStoreError.self) {
            try await rebuild(ledger).build(ViewCopy.next, now: now)
        }
        let named = engine.givesPositions ? "position \(head) (version" : "of \(Samples.appointment(2).stream)"
        #expect(error?.message.contains(named) == true)
        #expect(error?.code == .corrupt)
    }

    @Test(
        "streams come whole and in the order of their ids, in ranges of about as many events as asked for",
        arguments: Engine.ofStores)
    func ranges(engine: Engine) async throws {
        let ledger = try await engine.make()
        #expect(try await ledger.scan.range(after: nil, events: 5) == nil)
        let history = try await RandomHistory.write(to: ledger, streams: 12, seed: 9)
        var after: StreamID?
        var events: [RecordedEvent] = []
        while let range = try await ledger.scan.range(after: after, events: 5) {
            let part = try await ledger.scan.events(in: range)
            #expect(range.after == after && part.last?.stream == range.through)
            #expect(part.count >= 5 || range.through == history.rows.last?.appointment.stream)
            #expect(part.count < 10)
            events += part
            after = range.through
        }
        #expect(events.map { EventPlace(stream: $0.stream, version: $0.version) }.isSortedStrictly)
        #expect(events.count == history.events)
    }
}

extension Array where Element: Comparable {
    fileprivate var isSortedStrictly: Bool { zip(self, dropFirst()).allSatisfy { $0 < $1 } }
}

import Appointments
import EventStore
import Foundation
import Projections
import Replay
import Synchronization
import TestEngines
import Testing

/// The program after this one, as it will be: `failed` has a second shape, and the view a second number.
private enum NextProgram {
    /// The second shape says whether the person may ask again.
    static let failed = Upcaster(type: .failed, schema: 1) { data in
        guard case .object(let members) = data else { return data }
        return .object(members + [(key: "retryable", value: .boolean(data["reason"]?.text == "SLOT_TAKEN"))])
    }

    /// The second view tells the person so.
    static let projection = Projection(ConsumerName("appointments", number: 2)) {
        (event, row, insured) throws(EventStoreError) in
        var next = try AppointmentProjection.project(event, onto: row, insured: insured, upcasters: [failed])
        if let failure = next.failure, try isRetryable(event) {
            next.failure = .init(reason: failure.reason, message: failure.message + "; ask again")
        }
        return next
    }

    static func isRetryable(_ event: RecordedEvent) throws(EventStoreError) -> Bool {
        do throws(JSONError) {
            let data = try Upcaster.lift(
                event.entry.data, type: .failed, schema: event.entry.schema, with: [failed])
            return try JSONValue(data)["retryable"] == .boolean(true)
        } catch {
            throw EventStoreError(.corrupt, message: "the event is in a shape that nobody knows", cause: error)
        }
    }

    /// An event as the next program writes it.
    static func event(_ number: Int, version: Int, isRetryable: Bool) -> NewEvent {
        NewEvent(
            type: "failed", schema: 2, id: Samples.id(number), at: Samples.noon.adding(milliseconds: 1),
            country: "PE", actor: "next", correlation: "c", causation: nil,
            data: Array(
                """
                {"reason":"SLOT_TAKEN","stage":"processing","message":"taken","retryable":\(isRetryable)}
                """.utf8))
    }
}

@Suite struct SchemaEvolutionTests {
    @Test("today's program reads no shape that it does not know; the next one reads both, each from its bytes")
    func golden() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        func entry(_ path: String) throws -> Entry {
            try Entry(Array(try Data(contentsOf: folder.appending(path: path))))
        }
        let first = try entry("../AppointmentsTests/Golden/failed-1.json")
        let second = try entry("Golden/next-failed-2.json")
        #expect(throws: EventStoreError.self) { try Codec.decode(second) }
        let facts = try [first, second].map { try Codec.decode($0, upcasters: [NextProgram.failed]) }
        #expect(facts[0] == facts[1])
        let lifted = try Upcaster.lift(first.data, type: .failed, schema: 1, with: [NextProgram.failed])
        #expect(lifted == second.data)
        #expect(try Upcaster.lift(second.data, type: .failed, schema: 2, with: [NextProgram.failed]) == second.data)
    }

    @Test(
        "a second version of the view is put in place while others write and read, and is read whole from then on",
        arguments: Engine.ofStores)
    func blueGreen(engine: Engine) async throws {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: 200, seed: 21)
        let now = Samples.noon
        let today = Rebuild(scan: ledger.scan, feed: ledger.feed, sets: ledger.sets, people: ledger.people)
        try await today.build(ViewCopy.next, now: now)
        _ = try await today.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        var sizes = Rebuild.Sizes()
        (sizes.rangeEvents, sizes.rows, sizes.stepEvents) = (10, 8, 70)
        let next = Rebuild(
            scan: ledger.scan, feed: ledger.feed, sets: ledger.sets, people: ledger.people,
            projection: NextProgram.projection, sizes: sizes)
        // Traffic of the next program: today's one can't read its events, and parks them or leaves them out.
        for number in 400..<410 { try await Self.write(number, to: ledger) }
        let (flag, hasOld, hasNew) = (Flag(), Flag(), Flag())
        let ids = history.rows.filter { $0.failure != nil }.prefix(20).map(\.appointment)
        async let written: Int = {
            var number = 500
            while !flag.isSet, number < 50_000 {
                try await Self.write(number, to: ledger)
                try await Task.sleep(for: .milliseconds(1))
                number += 1
            }
            return number - 500
        }()
        async let reads = Self.read(ids, ledger, until: flag, showing: (old: hasOld, new: hasNew))
        defer { flag.set() }
        try await hasOld.wait()
        try await next.build(ViewCopy.next, now: now)
        let outcome = try await next.swap(ViewCopy.next, keepingAs: ViewCopy.kept, coversAll: true, now: now)
        // What is read from here on is the second version's.
        if case .swapped = outcome { try await hasNew.wait() }
        flag.set()
        let (writes, seen) = (try await written, try await reads)
        #expect(writes > 0 && seen.old > 0 && seen.new > 0, "\(writes) \(seen)")
        guard case .swapped(let position) = outcome else { throw Unswapped(outcome: outcome) }
        #expect(try await (history.events + 20...ledger.feed.head()).contains(position))
        let rows = try await ledger.allRows()
        for row in rows { #expect(try await Self.fold(row.appointment, upTo: row.version, ledger) == row) }
        #expect(Set(history.rows.map(\.appointment)).isSubset(of: rows.map(\.appointment)))
        #expect(rows.contains { $0.failure?.message == "taken; ask again" })
        #expect(rows.contains { $0.failure?.message == "taken" })
        // The old number is held: a program that knows no better writes nothing into the new tables.
        #expect(try await ledger.control.pausedAt(ProjectionRunner.projection) != nil)
        _ = try await ledger.store.append(
            [try Samples.requested(77_777)], to: Samples.appointment(77_777).stream, expecting: .empty)
        #expect(try await ledger.views.row(Samples.appointment(77_777)) == nil)
        // And back: the first version's rows, with what it can read of the traffic missing no appointment.
        #expect(try await ledger.sets.sets().first?.projection == ProjectionRunner.projection)
    }

    /// Tells others how far one has come.
    private final class Flag: Sendable {
        private let state = Mutex(false)

        var isSet: Bool { state.withLock(\.self) }

        func set() { state.withLock { $0 = true } }

        func wait() async throws {
            let end = ContinuousClock.now + .seconds(120)
            while !isSet {
                try #require(ContinuousClock.now < end, "nobody came so far")
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    private struct Unswapped: Error { let outcome: SwapOutcome }

    private static func write(_ number: Int, to ledger: TestEngine) async throws {
        let stream = Samples.appointment(number).stream
        let sealed = try await ledger.seal("00125", stream: stream)
        _ = try await ledger.store.append(
            [try Samples.requested(number, personal: [sealed])], to: stream, expecting: .empty)
        let failed = NextProgram.event(number + 100_000, version: 2, isRetryable: number % 2 == 0)
        _ = try await ledger.store.append([failed], to: stream, expecting: .version(1))
    }

    /// Reads failed appointments until the end: none is ever gone, and none goes back from the second version of the
    /// view to the first.
    ///
    /// - Returns: how many rows of each version were read.
    private static func read(
        _ ids: [AppointmentID], _ ledger: TestEngine, until isOver: Flag, showing has: (old: Flag, new: Flag)
    ) async throws -> (old: Int, new: Int) {
        var (old, new) = (0, 0)
        var seen: Set<AppointmentID> = []
        while !isOver.isSet {
            let rows = try await ledger.projections.rows(of: ids)
            try #require(rows.count == ids.count, "a row was gone")
            for (id, row) in rows {
                if try #require(row.failure).message.hasSuffix("; ask again") {
                    seen.insert(id)
                    new += 1
                    has.new.set()
                } else {
                    try #require(!seen.contains(id), "an older version came back")
                    old += 1
                    has.old.set()
                }
            }
        }
        return (old, new)
    }

    /// A stream folded by the next program, up to a version.
    private static func fold(
        _ id: AppointmentID, upTo version: Int, _ ledger: TestEngine
    ) async throws -> AppointmentRow? {
        var row: AppointmentRow?
        for event in try await ledger.store.read(id.stream) where event.version <= version {
            let insured = event.version == 1 ? try await ledger.people.insured(of: event) : nil
            row = try NextProgram.projection.next(event, onto: row, insured: insured)
        }
        return row
    }
}

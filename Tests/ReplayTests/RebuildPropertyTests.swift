import Appointments
import EventStore
import Projections
import Replay
import TestEngines
import Testing

/// Histories that chance makes. Each failure names the seed that brings it back.
@Suite("Any history, rebuilt from anywhere, gives the same bytes")
struct RebuildPropertyTests {
    private let now = Samples.noon

    private func rebuild(_ ledger: TestEngine, sets: (any ViewCopies)? = nil, _ random: inout SeededRandom) -> Rebuild {
        var sizes = Rebuild.Sizes()
        sizes.rangeEvents = Int(random.next() % 7) + 1
        sizes.ranges = Int(random.next() % 4) + 1
        sizes.rows = Int(random.next() % 5) + 1
        sizes.stepEvents = Int(random.next() % 6) + 1
        return Rebuild(
            scan: ledger.scan, feed: ledger.feed, sets: sets ?? ledger.sets, people: ledger.people, sizes: sizes)
    }

    /// The live view as it is exported, with what an export leaves out: every byte that a rebuild is to make again.
    private func export(_ ledger: TestEngine) async throws -> [UInt8] { bytes(try await ledger.allRows()) }

    private func bytes(_ rows: [AppointmentRow]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { writer in
            for row in rows {
                writer.appointment(row, showing: .whole)
                writer.string("\(row.leaf)")
            }
        }
        return writer.bytes
    }

    @Test(
        "a set begun at any checkpoint, whose worker died anywhere, ends with the bytes of a set made anew",
        arguments: Engine.ofStores)
    func anywhere(engine: Engine) async throws {
        // Over the wire one history takes as long as the others do in one process.
        for _ in 0..<(engine == .aws ? 1 : 12) {
            let seed = UInt64.random(in: 0 ... .max)
            var random = SeededRandom(seed)
            let ledger = try await engine.make()
            // A set after each part of the history: four checkpoints, between which appointments go on and begin.
            let names = (1...4).map { "at\($0)" }
            for (part, name) in names.enumerated() {
                _ = try await RandomHistory.write(
                    to: ledger, streams: 10, seed: seed &+ UInt64(part), first: 4 * part)
                try await rebuild(ledger, &random).build(name, now: now)
            }
            let last = try await RandomHistory.write(to: ledger, streams: 12, seed: seed &+ 9, first: 8)
            try await rebuild(ledger, &random).build(ViewCopy.next, now: now)
            for name in names { try #require(try await survive(name, ledger, &random) > 0, "seed \(seed)") }
            let position = SwapOutcome.swapped(position: last.events)
            let outcome = try await rebuild(ledger, &random).swap(
                ViewCopy.next, keepingAs: nil, coversAll: false, now: now)
            try #require(outcome == position, "seed \(seed)")
            let anew = try await export(ledger)
            for name in names {
                let outcome = try await rebuild(ledger, &random).swap(name, keepingAs: nil, coversAll: true, now: now)
                #expect(outcome == position, "seed \(seed)")
                #expect(try await export(ledger) == anew, "\(name), seed \(seed)")
            }
            #expect(anew == bytes(try await folded(ledger, upTo: .max)), "seed \(seed)")
        }
    }

    /// Brings a set up with workers that die after so many changes, each where chance has it.
    ///
    /// - Returns: how many died.
    private func survive(_ name: String, _ ledger: TestEngine, _ random: inout SeededRandom) async throws -> Int {
        var died = 0
        while true {
            let failing = FailingSets(ledger.sets, after: died == 0 ? 0 : Int(random.next() % 4) + 1)
            do throws(EventStoreError) {
                try await rebuild(ledger, sets: failing, &random).build(name, now: now)
                return died
            } catch {
                try #require(error.code == .unavailable, "\(error)")
                died += 1
            }
        }
    }

    @Test("the lists and each state as they were at any position and time are the fold of the events until then")
    func past() async throws {
        for engine in Engine.available {
            for _ in 0..<6 {
                let seed = UInt64.random(in: 0 ... .max)
                var random = SeededRandom(seed)
                let ledger = try await engine.make()
                _ = try await RandomHistory.write(to: ledger, streams: 12, seed: seed)
                try await rebuild(ledger, &random).build(ViewCopy.next, now: now)
                _ = try await rebuild(ledger, &random).swap(ViewCopy.next, keepingAs: nil, coversAll: false, now: now)
                try await compareAnywhere(ledger, &random, "\(engine), seed \(seed)")
            }
        }
    }

    @Test("the past is the same while the view is held, and lacks events and appointments", arguments: Engine.ofStores)
    func pastBehind(engine: Engine) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(seed)
        let ledger = try await engine.make()
        _ = try await RandomHistory.write(to: ledger, streams: 8, seed: seed)
        try await rebuild(ledger, &random).build(ViewCopy.next, now: now)
        _ = try await rebuild(ledger, &random).swap(ViewCopy.next, keepingAs: nil, coversAll: false, now: now)
        try await ledger.control.pause(ProjectionRunner.projection, at: now)
        let more = try await RandomHistory.write(
            to: ledger, streams: 12, seed: seed &+ 1, first: 4, from: now.adding(milliseconds: 60_000))
        try #require(try await ledger.allRows().count < more.rows.count + 4, "seed \(seed)")
        if ledger.followsStream {
            // What a held consumer of a change stream does with what it does not take in.
            let waiting = more.rows.map {
                ParkedEvent(appointment: $0.appointment, version: $0.version, reason: "r", at: now)
            }
            try await ledger.projections.put([], parking: waiting, by: ProjectionRunner.projection)
            return try await compareAnywhere(ledger, &random, "\(engine), seed \(seed)")
        }
        try await compareAnywhere(ledger, &random, "\(engine), seed \(seed)")
        // One that is up to the head, and has parked an appointment, lacks that one's events.
        let parked = ParkedEvent(appointment: more.rows[0].appointment, version: 1, reason: "r", at: now)
        try await ledger.projections.put([], parking: [parked], by: ProjectionRunner.projection)
        _ = try await ledger.control.resume(ProjectionRunner.projection)
        let runner = ProjectionRunner(
            feed: ledger.feed, store: ledger.store, views: ledger.projections, people: ledger.people)
        while try await runner.step(now: now) > 0 {}
        let checkpoint = try await ledger.projections.checkpoint(of: ProjectionRunner.projection)
        #expect(try await ledger.feed.head() == checkpoint)
        try await compareAnywhere(ledger, &random, "parked, \(engine), seed \(seed)")
    }

    /// Compares the lists at some positions and times with the fold of what had happened by then.
    private func compareAnywhere(_ ledger: TestEngine, _ random: inout SeededRandom, _ name: String) async throws {
        let all = try await ledger.feed.events(after: 0, limit: 100_000)
        for _ in 0..<8 {
            let position = Int(random.next() % UInt64(all.count + 1))
            try await compare(
                try await folded(ledger, upTo: position), ledger, at: .position(position),
                "position \(position), \(name)")
            let time = all[Int(random.next() % UInt64(all.count))].entry.at.adding(
                milliseconds: Int64(random.next() % 3) - 1)
            try await compare(
                try await folded(ledger) { $0.entry.at <= time }, ledger, at: .time(time), "\(time), \(name)")
        }
    }

    private func compare(
        _ rows: [AppointmentRow], _ ledger: TestEngine, at moment: Moment, _ name: String
    ) async throws {
        let past = PastViews(views: ledger.views, store: ledger.audit, events: ledger.past, at: moment)
        let filters =
            [
                RowFilter(), RowFilter(country: .peru), RowFilter(country: .chile),
                RowFilter(insured: rows.first?.insured),
            ]
            + AppointmentStatus.allCases.map { RowFilter(status: $0) }
        for filter in filters {
            var (listed, place) = ([AppointmentRow](), RowPlace?.none)
            repeat {
                let page = try await past.page(filter, after: place, limit: 5)
                listed += page.rows
                place = page.next
            } while place != nil
            #expect(zip(listed, listed.dropFirst()).allSatisfy { $0.place < $1.place }, "\(name)")
            let wanted = rows.filter(filter.matches)
            #expect(bytes(listed.sorted { $0.appointment < $1.appointment }) == bytes(wanted), "\(filter), \(name)")
        }
        for row in try await ledger.allRows() {
            let history = try await History.read(row.appointment, from: ledger.audit, insured: row.insured)
            let state = try history?.state(at: moment)
            #expect(state == rows.first { $0.appointment == row.appointment }, "\(name)")
        }
    }

    /// The fold of the log up to a position, made here, in the order of the log, by no code of an engine.
    private func folded(_ ledger: TestEngine, upTo position: Int) async throws -> [AppointmentRow] {
        try await folded(ledger) { $0.position ?? 0 <= position }
    }

    private func folded(
        _ ledger: TestEngine, where isIncluded: (RecordedEvent) -> Bool
    ) async throws -> [AppointmentRow] {
        var rows: [AppointmentID: AppointmentRow] = [:]
        for event in try await ledger.feed.events(after: 0, limit: 100_000) where isIncluded(event) {
            let id = event.stream.appointment
            rows[id] = try AppointmentProjection.project(
                event, onto: rows[id], insured: try await ledger.people.insured(of: event))
        }
        return rows.values.sorted { $0.appointment < $1.appointment }
    }
}

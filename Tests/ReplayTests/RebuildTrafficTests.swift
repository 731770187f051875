import Appointments
import EventStore
import Foundation
import Projections
import Replay
import Synchronization
import TestEngines
import Testing

/// A rebuild under traffic: what readers see while the tables change places.
@Suite struct RebuildTrafficTests {
    /// How many events are stored before the rebuild begins. 200,000 take a debug build minutes: `make test-long`.
    private static let events =
        ProcessInfo.processInfo.environment["LEDGER_TEST_REBUILD_EVENTS"].flatMap { Int($0) } ?? 12_000

    /// Reads go on until the last rebuild has ended.
    private final class Traffic: Sendable {
        let ledger: TestEngine
        let open: [AppointmentID]
        let isOver = Mutex(false)
        let reads = Mutex(0)
        let lists = Mutex(0)

        init(_ ledger: TestEngine, open: [AppointmentID]) { (self.ledger, self.open) = (ledger, open) }
    }

    @Test("no read during rebuilds sees half an appointment, or an older state than one that was seen before")
    func reads() async throws {
        let ledger = try await Engine.sqlite.make()
        let appointments = (0..<Self.events / 4).map(Samples.appointment)
        try await append(1...2, of: appointments, to: ledger)
        try await append(3...4, of: Array(appointments.dropLast(200)), to: ledger)
        let traffic = Traffic(ledger, open: Array(appointments.suffix(200)))
        let swaps = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await rebuild(traffic) }
            group.addTask { try await write(traffic) }
            for seed in 0..<2 as Range<UInt64> { group.addTask { try await look(traffic, seed) } }
            group.addTask { try await list(traffic) }
            return try await group.reduce(0, +)
        }
        #expect(swaps >= 3)
        let (reads, lists) = (traffic.reads.withLock(\.self), traffic.lists.withLock(\.self))
        print("\(swaps) swaps beside \(reads) reads of rows and \(lists) of lists")
        #expect(reads > 100 && lists > 5)
        let rows = try await ledger.allRows()
        #expect(rows.count == appointments.count && rows.allSatisfy { $0.status == .completed && $0.version == 4 })
    }

    /// Rebuilds and swaps until all appointments have ended, at least three times.
    private func rebuild(_ traffic: Traffic) async throws -> Int {
        let ledger = traffic.ledger
        defer { traffic.isOver.withLock { $0 = true } }
        var swaps = 0
        while true {
            let hasEnded = try await ledger.store.read(traffic.open[199].stream).count == 4
            let rebuild = Rebuild(scan: ledger.scan, feed: ledger.feed, sets: ledger.sets, people: ledger.people)
            try await rebuild.build(ViewCopy.next, now: Samples.noon.adding(milliseconds: Int64(swaps)))
            let outcome = try await rebuild.swap(
                ViewCopy.next, keepingAs: swaps % 2 == 0 ? nil : ViewCopy.kept, coversAll: true,
                now: Samples.noon.adding(milliseconds: Int64(swaps)))
            guard case .swapped = outcome else {
                Issue.record("\(outcome)")
                return swaps
            }
            swaps += 1
            if hasEnded, swaps >= 3 { return swaps }
        }
    }

    /// Brings the open appointments to their ends, one event after the other.
    private func write(_ traffic: Traffic) async throws -> Int {
        for version in 3...4 {
            for appointment in traffic.open {
                try await append(version...version, of: [appointment], to: traffic.ledger)
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        return 0
    }

    /// Reads single rows, and holds each against the events that its version stands for.
    private func look(_ traffic: Traffic, _ seed: UInt64) async throws -> Int {
        let (ledger, open) = (traffic.ledger, traffic.open)
        var random = SeededRandom(seed)
        var seen: [AppointmentID: Int] = [:]
        while !traffic.isOver.withLock(\.self) {
            let appointment = open[Int(random.next() % UInt64(open.count))]
            let row = try #require(try await ledger.views.row(appointment), "a row was gone")
            try #require(row.version >= seen[appointment, default: 1], "an older state came back")
            seen[appointment] = row.version
            let events = try await ledger.store.read(appointment.stream)
            let folded = try AppointmentProjection.fold(Array(events.prefix(row.version)), insured: row.insured)
            try #require(row == folded && row.insured != nil, "half a row")
            traffic.reads.withLock { $0 += 1 }
        }
        return 0
    }

    /// Reads a list that every open appointment is on, whole each time.
    private func list(_ traffic: Traffic) async throws -> Int {
        let (ledger, open) = (traffic.ledger, Set(traffic.open))
        var seen: [AppointmentID: Int] = [:]
        while !traffic.isOver.withLock(\.self) {
            let rows = try await ledger.views.rows(
                RowFilter(country: .peru, from: Self.opened), after: nil, offset: 0, limit: 1000)
            try #require(Set(rows.map(\.appointment)) == open, "a list was not whole")
            for row in rows {
                try #require(row.version >= seen[row.appointment, default: 1], "an older state came back in a list")
                seen[row.appointment] = row.version
            }
            traffic.lists.withLock { $0 += 1 }
        }
        return 0
    }

    /// When the open appointments began: later than all others.
    private static let opened = Samples.noon.adding(milliseconds: 1_000_000)

    private func append(
        _ versions: ClosedRange<Int>, of appointments: [AppointmentID], to ledger: TestEngine
    ) async throws {
        let firstOpen = Samples.appointment(Self.events / 4 - 200)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, appointment) in appointments.enumerated() {
                if index >= 64 { try await group.next() }
                group.addTask {
                    let start = appointment < firstOpen ? Samples.noon : Self.opened
                    let events = try await versions.asyncMap { version in
                        try await event(version, of: appointment, at: start, ledger)
                    }
                    _ = try await ledger.store.append(
                        events, to: appointment.stream,
                        expecting: versions.lowerBound == 1 ? .empty : .version(versions.lowerBound - 1))
                }
            }
            try await group.waitForAll()
        }
    }

    private func event(
        _ version: Int, of appointment: AppointmentID, at start: Timestamp, _ ledger: TestEngine
    ) async throws -> NewEvent {
        let schedule = try Samples.schedule(100)
        let slot = Slot(schedule: schedule, center: 4, specialty: 3, medic: 1, date: Samples.noon)
        let fact: AppointmentEvent =
            switch version {
            case 1: .requested(Requested(schedule: schedule, country: .peru))
            case 2: .routed(Routed(topic: "appointments-pe"))
            case 3: .countryProcessed(CountryProcessed(slot: slot, booking: appointment.id))
            default: .completed
            }
        return NewEvent(
            fact, id: NewEvent.derivedID(appointment.stream, version: version, type: fact.type.rawValue),
            context: EventContext(
                at: start.adding(milliseconds: Int64(version)), country: .peru, actor: "a", correlation: "c",
                causation: nil),
            personal: version == 1 ? [try await ledger.seal("00123", stream: appointment.stream)] : [])
    }
}

extension ClosedRange where Bound == Int {
    fileprivate func asyncMap<Value>(_ body: (Int) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for number in self { values.append(try await body(number)) }
        return values
    }
}

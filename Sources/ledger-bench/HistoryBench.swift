import Appointments
import EventStore
import Foundation
import HostSystem
import Projections
import Replay
import SQLiteEngine
import Synchronization

/// Measures what goes through the whole history: rebuild, verify and replay.
struct HistoryBench {
    let directory: String
    let events: Int

    /// Four events an appointment, one person for every five appointments. A history that is there already, because the
    /// directory was kept, is taken as it is.
    func fill() async throws -> (file: SQLiteFile, people: PersonResolver, keys: KeyRing) {
        let file = try SQLiteFile(path: directory + "/ledger.sqlite")
        let store = SQLiteEventStore(file)
        let keyPath = directory + "/ledger.key"
        let keys = try KeyFile.read(keyPath) ?? KeyFile.make(keyPath)
        let subjects = SQLiteSubjectDirectory(file)
        let there = try await store.head()
        if there > 0 {
            guard there == events / 4 * 4 else { throw BenchError("the kept history has \(there) events") }
            return (file, PersonResolver(directory: subjects, keys: keys), keys)
        }
        let appointments = events / 4
        let persons = try await persons(min(max(appointments / 5, 1), 100_000), keys, subjects)
        _ = try await Measurement.run("fill", clients: 256, operations: appointments) { index in
            try await Self.live(index, person: persons[index % persons.count], in: store)
        }
        return (file, PersonResolver(directory: subjects, keys: keys), keys)
    }

    /// The three views anew, then a comparison with the live ones.
    func rebuild() async throws {
        let (file, people, keys) = try await fill()
        let store = SQLiteEventStore(file)
        let sets = SQLiteViewCopies(file, keys: keys)
        let rebuild = Rebuild(scan: store, feed: store, sets: sets, people: people)
        _ = try await sets.drop(ViewCopy.next)
        let limit = try limit(SQLiteCeiling.rebuild)
        try await measure("rebuild", limitPerSecond: limit) {
            try await rebuild.build(ViewCopy.next, now: System.now())
        }
        try await measure("rebuild-compare") {
            let found = try await sets.compare(ViewCopy.next, limit: 10)
            guard found.differences == 0 else { throw BenchError("the rebuilt view differs from the live one") }
        }
        func swap() async throws {
            let outcome = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: System.now())
            guard outcome == .swapped(position: events / 4 * 4) else { throw BenchError("the swap did not happen") }
        }
        try await measure("rebuild-swap", swap)
        try await writing("rebuild-writer", beside: SQLiteAppointmentView(file)) {
            try await rebuild.build(ViewCopy.next, now: System.now())
        }
        try await writing("rebuild-swap-writer", beside: SQLiteAppointmentView(file), swap)
    }

    /// How many events a second SQLite gets through by itself.
    private func limit(_ work: (_ ledger: String, _ path: String) throws -> Double) throws -> Double {
        let scratch = directory + "/ceiling"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        return try work(directory + "/ledger.sqlite", scratch + "/rows.sqlite")
    }

    /// How long another writer waits meanwhile: one small durable write after the other, until the work is done.
    private func writing(
        _ name: String, beside views: SQLiteAppointmentView, _ work: () async throws -> Void
    ) async throws {
        let isOver = Atomic<Bool>(false)
        let start = ContinuousClock.now
        async let latencies: [UInt64] = {
            let probe = ConsumerName("bench", number: 1)
            var latencies: [UInt64] = []
            while !isOver.load(ordering: .relaxed) {
                let begin = ContinuousClock.now
                let place = try await views.checkpoint(of: probe)
                _ = try await views.commit(ProjectionCommit(checkpoint: place + 1), of: probe, expecting: place)
                latencies.append(Measurement.nanoseconds(.now - begin))
            }
            return latencies
        }()
        defer { isOver.store(true, ordering: .relaxed) }
        try await work()
        isOver.store(true, ordering: .relaxed)
        let waits = try await latencies
        Measurement(
            name: name, clients: 1, events: waits.count, seconds: start.duration(to: .now) / .seconds(1),
            latencies: waits.sorted()
        ).report()
    }

    /// Every hash, place and link of the chain; then the view as well.
    func verify() async throws {
        let (file, people, _) = try await fill()
        let store = SQLiteEventStore(file)
        let limit = try limit(SQLiteCeiling.hash)
        for (name, parts) in [("verify-chain", [Finding.Part.chain]), ("verify", Finding.Part.allCases)] {
            try await measure(name, limitPerSecond: limit) {
                let verify = Verify(
                    feed: store, scan: store, store: store, views: SQLiteAppointmentView(file), people: people,
                    parts: Set(parts))
                guard try await verify.run().isClean else { throw BenchError("the ledger does not verify") }
            }
        }
    }

    /// Every event as a line, written to `/dev/null` with the calls that a replay to standard output makes.
    func replay() async throws {
        let store = SQLiteEventStore(try await fill().file)
        let writer = ReplayWriter(run: .version4(random: (1, 2)))
        let source = ReplaySource(feed: store, log: store, filter: EventFilter())
        guard let sink = FileHandle(forWritingAtPath: "/dev/null") else { throw BenchError("/dev/null is not there") }
        var count = 0
        try await measure("replay") {
            try await source.each(after: 0, through: events / 4 * 4) { events throws(EventStoreError) in
                writer.lines(events)
            } take: { page in
                try sink.write(contentsOf: page.content)
                count += page.events
            }
        }
        guard count == events / 4 * 4 else { throw BenchError("not every event was replayed") }
    }

    func measure(_ name: String, limitPerSecond: Double? = nil, _ body: () async throws -> Void) async throws {
        report(name, seconds: try await seconds(body), limitPerSecond: limitPerSecond)
    }

    func seconds(_ body: () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        try await body()
        return start.duration(to: .now) / .seconds(1)
    }

    func report(_ name: String, seconds: Double, limitPerSecond: Double?) {
        var measurement = Measurement(
            name: name, clients: 1, events: events / 4 * 4, seconds: seconds, latencies: [])
        measurement.limitPerSecond = limitPerSecond
        measurement.report()
    }
}

// MARK: - Workload

extension HistoryBench {
    struct Person: Sendable {
        let digits: String
        let key: SubjectKey
    }

    func persons(
        _ count: Int, _ keys: KeyRing, _ directory: SQLiteSubjectDirectory?
    ) async throws -> [Person] {
        try await withThrowingTaskGroup(of: Person.self) { group in
            for number in 0..<count {
                group.addTask {
                    let digits = String(String(100_000 + number).suffix(5))
                    let name = PersonName(country: "PE", insured: digits)
                    let subject = try keys.newSubject(
                        name, id: .version4(random: (.random(in: 0 ... .max), UInt64(number))),
                        key: System.random(32), nonce: System.random(12))
                    let stored = try await directory?.add(subject) ?? subject
                    return Person(digits: digits, key: try keys.key(of: stored))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Appends the whole life of an appointment together.
    static func live(_ index: Int, person: Person, in store: SQLiteEventStore) async throws {
        let now = System.now()
        let stream = AppointmentID(at: now, random: (.random(in: 0 ... .max), .random(in: 0 ... .max))).stream
        guard let schedule = ScheduleID(Int64(index + 1)) else { preconditionFailure("small numbers are ids") }
        let sealed = try SealedField(
            person.digits, field: "insured", key: person.key, stream: stream, version: 1, type: "requested",
            nonce: System.random(12))
        let slot = Slot(schedule: schedule, center: 1, specialty: 2, medic: 3, date: now)
        let facts: [AppointmentEvent] = [
            .requested(Requested(schedule: schedule, country: .peru)), .routed(Routed(topic: "appointments-pe")),
            .countryProcessed(CountryProcessed(slot: slot, booking: stream.id)), .completed,
        ]
        let events = facts.enumerated().map { version, fact in
            let context = EventContext(
                at: now.adding(milliseconds: Int64(version)), country: .peru, actor: "bench",
                correlation: stream.id.description, causation: nil)
            let id = NewEvent.derivedID(stream, version: version + 1, type: fact.type.rawValue)
            return NewEvent(fact, id: id, context: context, personal: version == 0 ? [sealed] : [])
        }
        _ = try await store.append(events, to: stream, expecting: .empty)
    }
}

import Appointments
import EventStore
import MemoryEngine
import Projections
import Testing

/// A ledger in memory whose feed can be given in any order.
private struct World {
    let store = MemoryEventStore()
    let views = MemoryAppointmentView()
    let runner: ProjectionRunner

    init(feed: (any EventFeed)? = nil) throws {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        runner = ProjectionRunner(
            feed: feed ?? store, store: store, views: views,
            people: PersonResolver(directory: MemorySubjectDirectory(), keys: keys))
    }

    static let now = Timestamp(milliseconds: 1_795_504_253_123)

    static func appointment(_ number: UInt64) -> AppointmentID { AppointmentID(Identifier(high: 1, low: number)) }

    /// Appends events to an appointment's stream and returns all of them.
    @discardableResult
    func append(_ events: [AppointmentEvent], to number: UInt64) throws -> [RecordedEvent] {
        let stream = Self.appointment(number).stream
        for event in events {
            let version = store.readNow(stream).count
            let context = EventContext(
                at: Self.now.adding(milliseconds: Int64(version)), country: .peru, actor: "test", correlation: "c",
                causation: nil)
            let id = NewEvent.derivedID(stream, version: version + 1, type: event.type.rawValue)
            _ = try store.appendNow(
                [NewEvent(event, id: id, context: context)], to: stream,
                expecting: version == 0 ? .empty : .version(version))
        }
        return store.readNow(stream)
    }

    static func life() throws -> [AppointmentEvent] {
        let schedule = try #require(ScheduleID(100))
        let slot = Slot(schedule: schedule, center: 1, specialty: 2, medic: 3, date: now)
        return [
            .requested(Requested(schedule: schedule, country: .peru)), .routed(Routed(topic: "appointments-pe")),
            .countryProcessed(CountryProcessed(slot: slot, booking: Identifier(high: 7, low: 7))), .completed,
        ]
    }

    func catchUp() async throws {
        while try await runner.step(now: Self.now) > 0 {}
    }
}

@Suite struct VerdictTests {
    @Test("the next version is accepted, a later one is a gap, an earlier one a duplicate, another history a conflict")
    func verdicts() throws {
        let events = try World().append(try World.life(), to: 1)
        let other = try World().append(Array(try World.life().prefix(1)) + [.completed], to: 1)
        let head = StreamHead(version: 2, leaf: events[1].leaf)
        #expect(Verdict(of: events[0], holding: nil) == .accept)
        #expect(Verdict(of: events[0], holding: StreamHead(version: .max, leaf: events[1].leaf)) == .duplicate)
        #expect(Verdict(of: events[2], holding: head) == .accept)
        #expect(Verdict(of: events[3], holding: head) == .gap(from: 3))
        #expect(Verdict(of: events[1], holding: head) == .duplicate)
        #expect(Verdict(of: events[0], holding: head) == .duplicate)
        #expect(Verdict(of: other[1], holding: head) == .conflict)
        #expect(Verdict(of: events[2], holding: StreamHead(version: 2, leaf: other[1].leaf)) == .conflict)
    }
}

@Suite struct RunnerTests {
    @Test("the view is the fold of the events, whatever the size of the steps", arguments: [1, 2, 3, 1000])
    func fold(limit: Int) async throws {
        let world = try World()
        for number in 1...5 as ClosedRange<UInt64> { try world.append(try World.life(), to: number) }
        while try await world.runner.step(now: World.now, limit: limit) > 0 {}
        for number in 1...5 as ClosedRange<UInt64> {
            let id = World.appointment(number)
            let fold = try AppointmentProjection.fold(world.store.readNow(id.stream), insured: nil)
            #expect(try await world.views.row(id) == fold)
            #expect(fold?.status == .completed)
        }
        #expect(try await world.views.checkpoint(of: ProjectionRunner.projection) == 20)
    }

    @Test("a batch that comes shuffled and twice gives the same rows")
    func shuffled() async throws {
        let world = try World()
        var batch: [RecordedEvent] = []
        for number in 1...4 as ClosedRange<UInt64> { batch += try world.append(try World.life(), to: number) }
        for _ in 0..<50 {
            let commit = try await world.runner.take(in: (batch + batch).shuffled(), parked: [], now: World.now)
            #expect(commit.parked.isEmpty)
            #expect(commit.rows.map(\.status) == Array(repeating: .completed, count: 4))
        }
    }

    @Test("missing versions are read from the store")
    func gap() async throws {
        let world = try World()
        let events = try world.append(try World.life(), to: 1)
        let commit = try await world.runner.take(in: [events[3]], parked: [], now: World.now)
        #expect(commit.rows.first?.version == 4)
        #expect(commit.parked.isEmpty)
    }

    @Test("an event that can't be taken in parks its appointment; later events wait behind it, others move on")
    func parked() async throws {
        let world = try World()
        try world.append(Array(try World.life().prefix(1)), to: 1)
        // A type that this program does not know, as a newer one may write it.
        let stream = World.appointment(1).stream
        _ = try world.store.appendNow(
            [
                NewEvent(
                    type: "rescheduled", schema: 1, id: Identifier(high: 9, low: 9), at: World.now, country: "PE",
                    actor: "test", correlation: "c", causation: nil, data: Array("{}".utf8))
            ], to: stream, expecting: .version(1))
        try world.append(try World.life(), to: 2)
        try await world.catchUp()
        let parked = try await world.views.parked(by: ProjectionRunner.projection)
        #expect(parked.map(\.appointment) == [World.appointment(1)])
        #expect(parked.map(\.version) == [2])
        #expect(try await world.views.row(World.appointment(1))?.version == 1)
        #expect(try await world.views.row(World.appointment(2))?.status == .completed)
    }

    @Test("a worker that comes late with an old checkpoint writes nothing")
    func fenced() async throws {
        let world = try World()
        try world.append(try World.life(), to: 1)
        try await world.catchUp()
        var commit = ProjectionCommit(checkpoint: 99)
        commit.rows = []
        #expect(try await !world.views.commit(commit, of: ProjectionRunner.projection, expecting: 0))
        #expect(try await world.views.checkpoint(of: ProjectionRunner.projection) == 4)
    }

    @Test("another event stored as the same version parks the appointment and raises it as a conflict")
    func conflict() async throws {
        let world = try World()
        try world.append(Array(try World.life().prefix(2)), to: 1)
        try await world.catchUp()
        let other = try World().append(Array(try World.life().prefix(1)) + [.completed], to: 1)
        let commit = try await world.runner.take(in: [other[1]], parked: [], now: World.now)
        #expect(commit.rows.isEmpty)
        #expect(commit.parked.first?.reason.hasPrefix("conflict") == true)
    }
}

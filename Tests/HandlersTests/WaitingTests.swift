import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections
import Synchronization
import Testing

/// A country's database that some claims, or all that it is asked, get no answer from for a while.
private final class StumblingCountry: CountryDatabase {
    private let database: any CountryDatabase
    private let isAway: @Sendable (ScheduleID?) -> Bool
    let refusals = Atomic<Int>(0)

    init(_ database: any CountryDatabase, isAway: @escaping @Sendable (ScheduleID?) -> Bool) {
        (self.database, self.isAway) = (database, isAway)
    }

    private func answer(_ schedule: ScheduleID?) throws(EventStoreError) {
        guard isAway(schedule) else { return }
        refusals.add(1, ordering: .relaxed)
        throw EventStoreError(.unavailable, message: "the country does not answer")
    }

    func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try answer(claim.schedule)
        return try await database.claim(claim)
    }

    func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        try answer(nil)
        try await database.release(appointment, at: now)
    }

    func add(_ slots: [Slot]) async throws(EventStoreError) { try await database.add(slots) }

    func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow] {
        try answer(nil)
        return try await database.schedules(after: schedule, limit: limit)
    }

    func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim] {
        try answer(nil)
        return try await database.claims(after: appointment, limit: limit)
    }

    func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool {
        try answer(nil)
        return try await database.putBack(claim)
    }
}

/// A switch that others look at.
private final class Switch: Sendable {
    private let state = Atomic<Bool>(true)
    var isOn: Bool { state.load(ordering: .acquiring) }
    func turnOff() { state.store(false, ordering: .releasing) }
}

@Suite("One that waits makes nobody else wait") struct WaitingTests {
    private let world: World
    private let queue: any MessageQueue

    init() throws {
        world = try World()
        queue = world.messaging.queue(.peru)
    }

    /// Asks for slots of Peru, each of another person, and routes the requests.
    private func ask(_ schedules: ClosedRange<Int64>) async throws -> [AppointmentID] {
        var ids: [AppointmentID] = []
        for schedule in schedules {
            try world.list(schedule, medic: schedule)
            ids.append(try await world.ask(schedule, insured: String(10_000 + schedule)))
        }
        while try await world.router.step(limit: 100) > 0 {}
        return ids
    }

    private func isBooked(_ id: AppointmentID) -> Bool { world.types(id).count == 3 }

    private func waitUntil(_ holds: () async throws -> Bool) async throws {
        while try await !holds() { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// Sleeps of an outage are short: the tests wait for what happens, not for time.
    private var stop: Stop {
        Stop(
            alarm: Alarm(uptime: Alarm.real.uptime) { milliseconds, ring in
                Alarm.real.set(min(milliseconds, 5), ring)
            })
    }

    @Test(
        "while one claim waits for a lock the others are handled, also those that come later",
        .timeLimit(.minutes(5)))
    func locked() async throws {
        let (locked, lock) = (try world.schedule(1), Switch())
        let country = StumblingCountry(try #require(world.countries[.peru])) { $0 == locked && lock.isOn }
        let pump = QueuePump(.peru, queue: queue, performer: world.performer(with: country), logger: world.logger)
        let (stop, first) = (stop, try await ask(1...30))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            try await waitUntil { first.dropFirst().allSatisfy(isBooked) }
            let later = try await ask(31...60)
            try await waitUntil { later.allSatisfy(isBooked) }
            try await waitUntil { country.refusals.load(ordering: .relaxed) > 3 }
            #expect(world.types(first[0]) == ["requested", "routed"])
            // All others were acknowledged without waiting for it, and it was received once.
            try await waitUntil { try await counts(of: queue) == [0, 1, 0] }
            lock.turnOff()
            try await waitUntil { isBooked(first[0]) }
            stop.request()
        }
        #expect(try await counts(of: queue) == [0, 0, 0])
    }

    @Test("while one handler stands still the others are handled, also those that come later", .timeLimit(.minutes(5)))
    func still() async throws {
        let (slow, gate) = (try world.schedule(1), Doorbell(alarm: .real))
        let country = DelayedCountry(database: try #require(world.countries[.peru])) { claim throws(EventStoreError) in
            if claim.schedule == slow { await gate.wait(since: 0, atMostMilliseconds: 600_000) }
        }
        let pump = QueuePump(.peru, queue: queue, performer: world.performer(with: country), logger: world.logger)
        let (stop, first) = (stop, try await ask(1...30))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 64, waitMilliseconds: 0) }
            try await waitUntil { first.dropFirst().allSatisfy(isBooked) }
            let later = try await ask(31...60)
            try await waitUntil { later.allSatisfy(isBooked) }
            #expect(!isBooked(first[0]))
            gate.ring()
            try await waitUntil { isBooked(first[0]) }
            stop.request()
        }
        #expect(try await counts(of: queue) == [0, 0, 0])
    }

    @Test("an outage neither has everything received nor is charged to anyone", .timeLimit(.minutes(5)))
    func outage() async throws {
        let outage = Switch()
        let country = StumblingCountry(try #require(world.countries[.peru])) { _ in outage.isOn }
        let pump = QueuePump(.peru, queue: queue, performer: world.performer(with: country), logger: world.logger)
        let (stop, first) = (stop, try await ask(1...1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            try await waitUntil { country.refusals.load(ordering: .relaxed) > 1 }
            let later = try await ask(2...200)
            try await waitUntil { country.refusals.load(ordering: .relaxed) > 300 }
            let depth = try await queue.depth()
            #expect(depth.inFlight <= QueuePump.mostInHand / 2)
            #expect(depth.waiting + depth.inFlight == 200)
            outage.turnOff()
            try await waitUntil { (first + later).allSatisfy(isBooked) }
            stop.request()
        }
        // No receive was charged for it: each was received once, so none is on its way to the dead letters.
        #expect(try await counts(of: queue) == [0, 0, 0])
    }

    @Test("a pump ends soon though an outage goes on, and what it had in hand comes again", .timeLimit(.minutes(5)))
    func stopped() async throws {
        let country = StumblingCountry(try #require(world.countries[.peru])) { _ in true }
        let pump = QueuePump(.peru, queue: queue, performer: world.performer(with: country), logger: world.logger)
        let stop = Stop(alarm: .real)
        _ = try await ask(1...20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            try await waitUntil { country.refusals.load(ordering: .relaxed) > 1 }
            stop.request()
        }
        world.clock.advance(milliseconds: QueueSettings.visibilityMilliseconds)
        #expect(try await counts(of: queue) == [20, 0, 0])
    }

    @Test("what waits for a country that does not answer is neither sent round nor stuck")
    func swept() async throws {
        let outage = Switch()
        let country = StumblingCountry(try #require(world.countries[.peru])) { _ in outage.isOn }
        let log = MemorySweepLog(views: world.views)
        let sweeper = Sweeper(
            views: world.views, log: log, performer: world.performer(with: country), asking: [.peru: country],
            patienceMilliseconds: 60_000, logger: world.logger)
        _ = try await ask(1...3)
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        while try await runner.step(now: world.clock.now) > 0 {}
        for _ in 0..<5 {
            world.clock.advance(milliseconds: 61_000)
            #expect(try await sweeper.sweep() == 0)
        }
        #expect(try await queue.depth().waiting == 3)
        let quiet = Quiet(forMilliseconds: 60_000, at: world.clock.now)
        #expect(try await log.stuck(rounds: Sweeper.rounds, quiet: quiet).isEmpty)
        outage.turnOff()
        #expect(try await sweeper.sweep() == 3)
    }

    @Test("a clock that was hours ahead keeps nothing from being sent round")
    func ahead() async throws {
        let log = MemorySweepLog(views: world.views)
        let sweeper = Sweeper(
            views: world.views, log: log, performer: world.performer, asking: [:], patienceMilliseconds: 60_000,
            logger: world.logger)
        world.clock.advance(milliseconds: 7_200_000)
        _ = try await ask(1...1)
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        while try await runner.step(now: world.clock.now) > 0 {}
        #expect(try await sweeper.sweep() == 0)
        world.clock.advance(milliseconds: -7_200_000)
        #expect(try await sweeper.sweep() == 1)
        #expect(try await sweeper.sweep() == 0)
    }
}

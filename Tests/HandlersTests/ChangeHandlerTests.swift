import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections
import Testing

@Suite struct ChangeHandlerTests {
    private let world: World
    private let stream: ChangeHandler

    init() throws {
        world = try World()
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        stream = ChangeHandler(router: world.router, runner: runner, views: world.views)
    }

    /// Hands what the store holds to the stream until nothing new is appended; each batch in another order, and twice.
    private func flow() async throws {
        var seen = 0
        while true {
            let records = world.store.eventsNow(after: seen, limit: 1000)
            guard let last = records.last?.position else { return }
            try await stream.handle((records + records).shuffled(), now: world.clock.now)
            seen = last
            for name in QueueName.allCases { try await world.handle(name) }
        }
    }

    @Test("records that come twice and in any order bring each appointment to its end, once")
    func shuffled() async throws {
        for schedule in 1...20 as ClosedRange<Int64> { try world.list(schedule, medic: schedule) }
        var ids: [AppointmentID] = []
        for schedule in 1...20 as ClosedRange<Int64> {
            ids.append(try await world.ask(schedule, insured: "000\(10 + schedule)"))
        }
        try await flow()
        for id in ids {
            #expect(world.types(id) == ["requested", "routed", "country-processed", "completed"])
            #expect(try await world.views.row(id)?.version == 4)
        }
        // A day later all of it comes again.
        try await stream.handle(world.store.eventsNow(after: 0, limit: 1000).shuffled(), now: world.clock.now)
        try await world.settle()
        #expect(world.store.headNow == 80)
    }

    @Test("records that were lost are made up for from the store, in batches of any size", arguments: [1, 3, 1000])
    func backfill(batch: Int) async throws {
        for schedule in 1...5 as ClosedRange<Int64> {
            try world.list(schedule, medic: schedule)
            try await world.ask(schedule, insured: "0001\(schedule)")
        }
        #expect(try await stream.backfill(from: world.store, batch: batch, now: world.clock.now) == 10)
        try await flow()
        #expect(world.views.contents.rows.values.map(\.status) == Array(repeating: .completed, count: 5))
    }

    @Test("what can't be taken in is parked and keeps no other; once it can, a retry takes in all that waited")
    func parked() async throws {
        try world.list(1)
        try world.list(2, medic: 2)
        let (broken, whole) = (try await world.ask(1), try await world.ask(2, insured: "00777"))
        // The person's directory row names another key than the field was sealed with: the field does not open.
        let event = try #require(world.store.readNow(broken.stream).first)
        let damaged = RecordedEvent(
            position: event.position, entry: event.entry, leaf: event.leaf, sealed: ["insured": [1, 2, 3]])
        try await stream.handle([damaged] + world.store.readNow(whole.stream), now: world.clock.now)
        let name = ProjectionRunner.projection
        #expect(try await world.views.parked(by: name).map(\.appointment) == [broken])
        #expect(try await world.views.row(broken) == nil)
        #expect(try await world.views.row(whole)?.status == .pending)
        // The store holds it whole: a retry reads it from there.
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        #expect(try await runner.retry(broken, now: world.clock.now) == nil)
        #expect(try await world.views.parked(by: name).isEmpty)
        #expect(try await world.views.row(broken)?.version == world.store.readNow(broken.stream).count)
    }

    @Test("what comes while the view is held is routed all the same, and taken in once the view is resumed")
    func held() async throws {
        let name = ProjectionRunner.projection
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        let handler = ChangeHandler(
            router: world.router, runner: runner, views: world.views, control: world.views)
        try world.list(1)
        try await world.views.pause(name, at: world.clock.now)
        let id = try await world.ask(1)
        for _ in 0..<2 { try await handler.handle(world.store.eventsNow(after: 0, limit: 10), now: world.clock.now) }
        #expect(world.types(id) == ["requested", "routed"])
        #expect(try await world.views.row(id) == nil)
        #expect(try await handler.takeUp(limit: 10, now: world.clock.now) == 0)
        #expect(try await world.views.resume(name))
        // No further record has to come: an operator may ask for it.
        #expect(try await handler.takeUp(limit: 10, now: world.clock.now) == 1)
        #expect(try await world.views.row(id)?.version == 2)
        #expect(try await world.views.parked(by: name).isEmpty)
    }

    @Test("what comes while the router is held is routed once the router is resumed")
    func routerHeld() async throws {
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        let handler = ChangeHandler(
            router: world.router, runner: runner, views: world.views, control: world.views)
        try world.list(1)
        try await world.views.pause(RouterPump.projection, at: world.clock.now)
        let id = try await world.ask(1)
        try await handler.handle(world.store.eventsNow(after: 0, limit: 10), now: world.clock.now)
        #expect(world.types(id) == ["requested"])
        #expect(try await world.views.row(id)?.version == 1)
        _ = try await world.views.resume(RouterPump.projection)
        try await handler.handle([], now: world.clock.now)
        #expect(world.types(id) == ["requested", "routed"])
        #expect(try await world.views.parked(by: RouterPump.projection).isEmpty)
    }

    @Test("what waited for a resumption and can't be taken in stays parked for its own reason, and is not tried again")
    func heldAndBroken() async throws {
        let name = ProjectionRunner.projection
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(
                directory: world.directory, keys: try KeyRing(master: Array(repeating: 1, count: 32))))
        let handler = ChangeHandler(
            router: world.router, runner: runner, views: world.views, control: world.views)
        try world.list(1)
        let id = try await world.ask(1)
        try await world.views.pause(name, at: world.clock.now)
        try await handler.handle(world.store.eventsNow(after: 0, limit: 10), now: world.clock.now)
        #expect(try await world.views.parked(by: name).map(\.isHeld) == [true])
        _ = try await world.views.resume(name)
        #expect(try await handler.takeUp(limit: 10, now: world.clock.now) == 1)
        #expect(try await handler.takeUp(limit: 10, now: world.clock.now) == 0)
        let parked = try await world.views.parked(by: name)
        #expect(parked.map(\.appointment) == [id] && parked.map(\.isHeld) == [false])
    }
}

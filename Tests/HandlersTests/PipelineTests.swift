import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections
import Testing

/// Requests on their way through router, country and completion.
@Suite struct PipelineTests {
    @Test("a request is routed, processed and completed, each event caused by the one before")
    func happyPath() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        try await world.settle()
        #expect(world.types(id) == ["requested", "routed", "country-processed", "completed"])
        let events = world.store.readNow(id.stream)
        for (event, next) in zip(events, events.dropFirst()) { #expect(next.entry.causation == event.entry.id) }
        #expect(events.map(\.entry.actor) == ["test", "router", "processor:pe", "completion"])
        #expect(world.countries[.peru]?.schedulesNow().first?.holder == id)
    }

    @Test("what can't be met ends as failed with its reason")
    func reasons() async throws {
        let world = try World()
        try world.list(1)
        try world.list(2, hours: 24, medic: 2)
        try world.list(3, hours: -1)
        try world.list(4, hours: 13)
        let held = try await world.ask(1)
        try await world.settle()
        let cases: [(Int64, String, FailureReason)] = [
            (99, "00001", .scheduleNotFound), (1, "00002", .slotTaken), (3, "00003", .slotInPast),
            (4, "00004", .outsideOpeningHours), (2, "00123", .alreadyBooked),
        ]
        for (schedule, insured, reason) in cases {
            let id = try await world.ask(schedule, insured: insured)
            try await world.settle()
            guard case .failed(let failed) = try world.state(id).end else {
                Issue.record("\(reason) did not fail")
                continue
            }
            #expect(failed.reason == reason)
            #expect(failed.stage == .processing)
        }
        #expect(try world.state(held).end == .completed)
        // Another person may hold the slot beside it.
        let beside = try await world.ask(2, insured: "00005")
        try await world.settle()
        #expect(try world.state(beside).end == .completed)
    }

    @Test("every message delivered twice, and every event routed twice, changes nothing")
    func redelivery() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        for _ in 0..<2 { _ = try await world.router.route(world.store.readNow(id.stream)) }
        let requested = try await world.messaging.queue(.peru).receive(
            limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 1000)
        #expect(requested.count >= 2)
        for message in requested + requested {
            let completion = try await world.performer.run(CountryProcessor(.peru, body: message.body))
            guard case .done = completion else { throw Unexpected("\(completion)") }
        }
        let announced = try await world.messaging.queue(.completion).receive(
            limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 1000)
        for message in announced + announced {
            _ = try await world.performer.run(CompletionProjector(body: message.body))
        }
        #expect(world.types(id) == ["requested", "routed", "country-processed", "completed"])
    }

    @Test("of ten processors at once for one appointment one appends, and all are done")
    func race() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        _ = try await world.router.step(limit: 10)
        let message = try #require(
            try await world.messaging.queue(.peru).receive(
                limit: 1, waitMilliseconds: 0, visibilityMilliseconds: 1000
            ).first)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    let completion = try await world.performer.run(CountryProcessor(.peru, body: message.body))
                    guard case .done = completion else { throw Unexpected("\(completion)") }
                }
            }
            try await group.waitForAll()
        }
        #expect(world.types(id) == ["requested", "routed", "country-processed"])
    }

    @Test("a message that can't be read, or is another country's, fails alone and is dead after three receives")
    func poison() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        _ = try await world.router.step(limit: 10)
        let chile = CountryMessage(
            .requested, appointment: id, schedule: try world.schedule(100), country: .chile, at: world.clock.now,
            correlation: "c")
        try await world.messaging.queue(.peru).send([
            OutgoingMessage(body: Array("{}".utf8)), OutgoingMessage(body: Array("no JSON".utf8)), chile.outgoing,
        ])
        for _ in 0..<4 {
            try await world.handle(.peru)
            world.clock.advance(milliseconds: 1)
        }
        #expect(world.types(id).last == "country-processed")
        let letters = try await world.messaging.list(.peru, limit: 10)
        #expect(letters.count == 3)
        #expect(letters.allSatisfy { $0.receiveCount == 3 && $0.reason?.isEmpty == false })
        #expect(letters.contains { $0.reason?.contains("CL") == true })
        #expect(try await world.messaging.queue(.peru).depth().waiting == 0)
    }

    @Test("an appointment that is given up while it holds a slot gives the slot back")
    func release() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        _ = try await world.router.step(limit: 10)
        try await world.handle(.peru)
        #expect(world.countries[.peru]?.schedulesNow().first?.holder == id)
        let completion = try await world.performer.run(GiveUp(id, actor: "operator:ana", message: "asked twice"))
        guard case .done = completion else { throw Unexpected("\(completion)") }
        try await world.settle()
        #expect(world.types(id) == ["requested", "routed", "country-processed", "failed"])
        #expect(world.countries[.peru]?.schedulesNow().first?.holder == nil)
        #expect(world.store.readNow(id.stream).last?.entry.actor == "operator:ana")
    }

    @Test("the same id and request again is the first answer again; another request is refused")
    func idempotency() async throws {
        let world = try World()
        let id = AppointmentID(at: world.clock.now, random: (1, 2))
        guard case .accepted(let first, replayed: false) = try await world.performer.run(try world.intake(id, 100))
        else { throw Unexpected("first") }
        guard case .accepted(let again, replayed: true) = try await world.performer.run(try world.intake(id, 100))
        else { throw Unexpected("again") }
        #expect(first.leaf == again.leaf)
        guard case .refused(.differentRequest) = try await world.performer.run(try world.intake(id, 101))
        else { throw Unexpected("another slot") }
        let other = try world.intake(id, 100, insured: "00124")
        guard case .refused(.differentRequest) = try await world.performer.run(other)
        else { throw Unexpected("another person") }
        #expect(try await world.store.head() == 1)
    }

    @Test("no entry and no message holds the person's number")
    func canary() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100, insured: "48151")
        func isClean(_ bytes: [UInt8]) -> Bool {
            !String(decoding: bytes, as: UTF8.self).replacing(#/[0-9a-f-]{36}/#, with: " ").contains("48151")
        }
        _ = try await world.router.step(limit: 10)
        for name in [QueueName.peru, .completion] {
            let messages = try await world.messaging.queue(name).receive(
                limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 0)
            #expect(!messages.isEmpty)
            #expect(messages.allSatisfy { isClean($0.body) })
            world.clock.advance(milliseconds: 1)
            try await world.handle(name)
        }
        let events = world.store.readNow(id.stream)
        #expect(events.count == 4)
        #expect(events.allSatisfy { isClean($0.entry.bytes) })
        #expect(events[0].sealed["insured"] != nil)
        let people = PersonResolver(directory: world.directory, keys: world.keys)
        #expect(try await people.insured(of: events[0])?.digits == "48151")
    }

    @Test("what stands still is sent round three times, then shown as stuck")
    func sweeper() async throws {
        let world = try World()
        let id = try await world.ask(100)
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        while try await runner.step(now: world.clock.now) > 0 {}
        let log = MemorySweepLog(views: world.views)
        let sweeper = Sweeper(
            views: world.views, log: log, performer: world.performer, asking: [:], patienceMilliseconds: 60_000,
            logger: world.logger)
        #expect(try await sweeper.sweep() == 0)
        // Its first round routes it, which is a version of its own: three rounds follow there.
        for _ in 0..<4 {
            world.clock.advance(milliseconds: 61_000)
            #expect(try await sweeper.sweep() == 1)
            while try await runner.step(now: world.clock.now) > 0 {}
        }
        world.clock.advance(milliseconds: 61_000)
        #expect(try await sweeper.sweep() == 0)
        #expect(try await log.stuck(rounds: 3, quiet: Quiet(forMilliseconds: 60_000, at: world.clock.now)) == [id])
        #expect(try await world.messaging.queue(.peru).depth().waiting == 4)
        try world.list(100)
        try await world.settle()
        #expect(try world.state(id).end == .completed)
    }
}

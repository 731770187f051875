import Appointments
import EventStore
import Handlers
import MemoryEngine
import Testing

/// The mark of a replay, from the topic through the country's queue to the bus.
@Suite struct ReplayMarkTests {
    private let run = Identifier(high: 0x4000, low: 1 << 63 | 5)

    /// Sends once more what live traffic sent because of the `routed` event of an appointment.
    private func replay(_ id: AppointmentID, in world: World) async throws {
        let events = world.store.readNow(id.stream)
        let routed = try #require(events.first { $0.entry.type == "routed" })
        let message = try #require(try Resent(routed, first: events[0], to: .topic, by: run))
        guard case .message(let message, let topic) = message else { throw Unexpected("\(message)") }
        try await world.messaging.publish(message, to: topic)
        #expect(try await world.handle(.peru).isEmpty)
    }

    /// Takes what waits in a queue away, and tells of each message whether it has the mark.
    private func take(_ queue: QueueName, of world: World) async throws -> [Bool] {
        let messages = try await world.messaging.queue(queue).receive(
            limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 1000)
        try await world.messaging.queue(queue).delete(messages.map(\.receipt))
        return messages.map { String(decoding: $0.body, as: UTF8.self).contains("\"replay\":\"\(run)\"") }
    }

    @Test("what is announced once more because of a replay has its mark: a failure, and a booking")
    func announcedAgain() async throws {
        let world = try World()
        try world.list(100)
        let failed = try await world.ask(99)
        let booked = try await world.ask(100, insured: "00124")
        _ = try await world.router.step(limit: 100)
        try await world.handle(.peru)
        #expect(try await take(.error, of: world) == [false])
        #expect(try await take(.completion, of: world) == [false])
        let before = (world.types(failed), world.types(booked))
        try await replay(failed, in: world)
        #expect(try await take(.error, of: world) == [true])
        try await replay(booked, in: world)
        #expect(try await take(.completion, of: world) == [true])
        #expect((world.types(failed), world.types(booked)) == before)
        try await replay(booked, in: world)
        try await world.handle(.completion)
        #expect(try world.state(booked).end == .completed)
    }

    @Test("what a replay brings about for the first time is news, and has no mark")
    func news() async throws {
        let world = try World()
        try world.list(100)
        let id = try await world.ask(100)
        _ = try await world.router.step(limit: 100)
        // The live message is lost.
        #expect(try await take(.peru, of: world) == [false])
        try await replay(id, in: world)
        #expect(world.types(id).last == "country-processed")
        #expect(try await take(.completion, of: world) == [false])
    }

    @Test("a mark that is no id makes a message unreadable")
    func damaged() throws {
        let message = CountryMessage(
            .requested, appointment: AppointmentID(run), schedule: try #require(ScheduleID(1)), country: .peru,
            at: Timestamp(milliseconds: 0), correlation: "c")
        #expect(try CountryMessage(body: message.outgoing(replay: run).body).replay == run)
        #expect(try CountryMessage(body: message.outgoing.body).replay == nil)
        let text = String(decoding: message.outgoing(replay: run).body, as: UTF8.self)
        let damaged = text.replacing("\(run)", with: "me")
        #expect(throws: UnreadableMessage.self) { try CountryMessage(body: Array(damaged.utf8)) }
    }
}

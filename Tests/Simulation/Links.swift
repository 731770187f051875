import EventStore
import MemoryEngine

/// The way from one server to everything outside of its memory, where things go wrong: each call takes time, may fail
/// before or after it did its work, and may be the last that the server makes.
struct Links: Sendable {
    let world: World
    let lifeline: Lifeline

    var isAlive: Bool { lifeline.server?.isAlive ?? false }

    /// Carries out a call, if nothing keeps it from it.
    func call<Value>(
        _ operation: Operation, _ body: () async throws(EventStoreError) -> Value
    ) async throws(EventStoreError) -> Value {
        guard isAlive, let server = lifeline.server else { throw .crashed }
        let fault = world.faults.strike(operation.faults)
        let landsAnyway = world.random.next() & 1 == 0
        await world.timeline.pause(
            fault == .slow ? world.random.pick(60_000...10_800_000) : world.random.pick(1...20))
        guard isAlive else {
            // The request was on the wire when the server died.
            if landsAnyway { _ = try? await body() }
            throw .crashed
        }
        if world.isOut(operation.component) { throw .noAnswer(world, server, operation) }
        switch fault {
        case .crashBefore:
            world.step(server.id, operation, .crashed)
            server.crash()
            throw .crashed
        case .throttled: throw .noAnswer(world, server, operation)
        case .crashAfter, .lostAnswer:
            _ = try? await body()
            world.step(server.id, operation, fault == .crashAfter ? .crashed : .lost)
            world.timeline.stir()
            if fault == .crashAfter {
                server.crash()
                throw .crashed
            }
            throw EventStoreError(.unavailable, message: "the answer was lost", cause: LostAnswer())
        default: break
        }
        do throws(EventStoreError) {
            let value = try await body()
            world.step(server.id, operation, .done)
            return value
        } catch {
            world.step(server.id, operation, .refused)
            throw error
        }
    }
}

/// The call did its work, and nobody was told.
struct LostAnswer: Error {}

extension EventStoreError {
    fileprivate static var crashed: EventStoreError {
        EventStoreError(.unavailable, message: "the server that asked is gone")
    }

    fileprivate static func noAnswer(_ world: World, _ server: Server, _ operation: Operation) -> EventStoreError {
        world.step(server.id, operation, .unavailable)
        return EventStoreError(.unavailable, message: "no answer")
    }
}

// MARK: - Store and feed

extension Links: EventStore, EventFeed {
    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        // Another worker does the same at the same time, and is a moment faster.
        if expectation != .empty, world.faults.strikes(.conflict) {
            let twins = events.map { $0.twin }
            if (try? world.append(twins, to: stream, expecting: expectation)) != nil { world.sightings.see(.lostRace) }
        }
        do throws(EventStoreError) {
            return try await appendOnce(events, to: stream, expecting: expectation)
        } catch {
            // A client of a store tries again by itself, and then may meet its own event.
            guard error.cause is LostAnswer, world.random.next() & 1 == 0 else { throw error }
            return try await appendOnce(
                events, to: stream, expecting: world.plan.mutant == .retryWithoutExpectation ? .any : expectation)
        }
    }

    private func appendOnce(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        let recorded = try await call(.append) { () throws(EventStoreError) -> [RecordedEvent] in
            let mutant = world.plan.mutant
            if let told = try mutant?.append(events, to: stream, expecting: expectation, through: self) { return told }
            return try world.append(events, to: stream, expecting: expectation)
        }
        if let last = recorded.last { world.checks.acknowledged(last) }
        return recorded
    }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        let known = world.checks.acknowledgedVersion(of: stream)
        let events = try await call(.read) { () throws(EventStoreError) in
            let events = world.store.readNow(stream, from: version)
            return world.plan.mutant == .staleRead && events.count > 1 ? Array(events.dropLast()) : events
        }
        world.checks.read(events, of: stream, from: version, knowing: known)
        return events
    }

    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await call(.feed) { () throws(EventStoreError) in
            let events = world.store.eventsNow(after: position, limit: limit)
            return world.plan.mutant == .feedSkipsAnEvent && events.count > 2 ? Array(events.dropFirst()) : events
        }
    }

    func head() async throws(EventStoreError) -> Int {
        try await call(.head) { () async throws(EventStoreError) in try await world.store.head() }
    }

    func records(
        _ shard: Int, for follower: ChangeStream.Follower
    ) async throws(EventStoreError) -> ChangeStream.Batch {
        try await call(.records) { () throws(EventStoreError) in
            world.stream.read(
                shard, for: follower, at: world.timeline.now, limit: 8, world.faults, &world.random)
        }
    }

    func advance(
        _ shard: Int, of follower: ChangeStream.Follower, behind batch: ChangeStream.Batch
    ) async throws(EventStoreError) {
        let moved = try await call(.advance) { () throws(EventStoreError) in
            world.stream.advance(shard, of: follower, from: batch.from, to: batch.next)
        }
        if !moved { world.sightings.see(.staleWorkerFenced) }
    }
}

extension NewEvent {
    /// The same event as another worker would append it a moment earlier.
    fileprivate var twin: NewEvent {
        NewEvent(
            type: type, schema: schema, id: id, at: at.adding(milliseconds: 1), country: country, actor: actor,
            correlation: correlation, causation: causation, data: data)
    }
}

/// The store as followers ask it for versions that did not reach them.
struct GapLink: EventStore {
    let links: Links

    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        try await links.append(events, to: stream, expecting: expectation)
    }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        if version > 1 { links.world.sightings.see(.gapRepair) }
        return try await links.read(stream, from: version)
    }
}

// MARK: - Persons

extension Links: SubjectDirectory {
    func subject(of person: PersonName) async throws(EventStoreError) -> Subject? {
        try await call(.subject) { () async throws(EventStoreError) in
            try await world.directory.subject(of: person)
        }
    }

    func subject(_ id: Identifier) async throws(EventStoreError) -> Subject? {
        try await call(.subject) { () async throws(EventStoreError) in try await world.directory.subject(id) }
    }

    func add(_ subject: Subject) async throws(EventStoreError) -> Subject {
        try await call(.subject) { () throws(EventStoreError) in world.directory.addNow(subject) }
    }
}

import Appointments
import EventStore
import MemoryEngine
import Projections
import Replay
import Testing

import enum EventStore.Expectation

/// A store that somebody has tampered with.
private struct TamperedStore: EventStore, EventFeed, StreamScan {
    let log: [RecordedEvent]

    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        throw EventStoreError(.invalid, message: "nothing is appended here")
    }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        log.filter { $0.stream == stream && $0.version >= version }
    }

    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        Array(log.filter { $0.position ?? 0 > position }.prefix(limit))
    }

    func head() async throws(EventStoreError) -> Int { log.last?.position ?? 0 }

    func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        let next = log.map(\.stream).filter { StreamRange.rest(after: stream).contains($0) }.min()
        return next.map { StreamRange(after: stream, through: $0) }
    }

    func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        log.filter { range.contains($0.stream) }.sorted { ($0.stream, $0.version) < ($1.stream, $1.version) }
    }
}

@Suite struct VerifyTests {
    private func world() async throws -> World {
        let world = try World()
        try world.list(1)
        try world.list(2, hours: 26)
        try await world.ask(1)
        try await world.ask(2, insured: "00124")
        try await world.settle()
        let runner = ProjectionRunner(
            feed: world.store, store: world.store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys))
        while try await runner.step(now: world.clock.now) > 0 {}
        return world
    }

    private func findings(_ world: World, _ log: [RecordedEvent]) async throws -> [Finding] {
        let store = TamperedStore(log: log)
        let verify = Verify(
            feed: store, scan: store, store: store, views: world.views,
            people: PersonResolver(directory: world.directory, keys: world.keys), batch: 3)
        return try await verify.run().findings
    }

    private func kinds(_ world: World, _ log: [RecordedEvent]) async throws -> Set<Finding.Kind> {
        Set(try await findings(world, log).map(\.kind))
    }

    private func copy(
        _ event: RecordedEvent, position: Int? = nil, entry: Entry? = nil, leaf: Hash? = nil,
        sealed: [String: [UInt8]]? = nil
    ) -> RecordedEvent {
        RecordedEvent(
            position: position ?? event.position, entry: entry ?? event.entry, leaf: leaf ?? event.leaf,
            sealed: sealed ?? event.sealed)
    }

    @Test("a ledger that nobody touched verifies")
    func clean() async throws {
        let world = try await world()
        let log = world.store.eventsNow(after: 0, limit: 100)
        #expect(log.count == 8)
        #expect(try await kinds(world, log).isEmpty)
    }

    @Test("each kind of damage is found")
    func damage() async throws {
        let world = try await world()
        let log = world.store.eventsNow(after: 0, limit: 100)
        let first = log[0]
        var changed = log
        changed[0] = copy(first, leaf: Hash(of: []))
        #expect(try await kinds(world, changed).contains(.leafDiffers))
        var bytes = first.entry.bytes
        let place = try #require(bytes.firstRange(of: Array("\"test\"".utf8))?.lowerBound)
        bytes[place + 1] = UInt8(ascii: "b")
        changed[0] = copy(first, entry: try Entry(bytes), leaf: Hash.leaf(of: bytes))
        // The row still names the leaf that was, and so does the next entry.
        let kinds = try await kinds(world, changed)
        #expect(kinds.contains(.previousDiffers))
        changed = log
        changed[0] = copy(first, sealed: ["insured": [1, 2, 3]])
        #expect(try await self.kinds(world, changed).contains(.sealedDiffers))
        changed = log
        changed.remove(at: 3)
        #expect(try await self.kinds(world, changed).contains(.positionGap))
        #expect(try await self.kinds(world, changed).contains(.versionGap))
        #expect(try await self.kinds(world, Array(log.dropLast())).contains(.rowDiffers))
        let stream = log[0].stream
        #expect(try await self.kinds(world, log.filter { $0.stream != stream }).contains(.rowWithoutEvents))
    }

    @Test("a position that stands twice is one finding, and what follows stands in its place")
    func twice() async throws {
        let world = try await world()
        let log = world.store.eventsNow(after: 0, limit: 100)
        var moved = log
        for place in 4..<8 { moved[place] = copy(log[place], position: place) }
        #expect(try await findings(world, moved).filter { $0.kind == .positionGap }.count == 1)
    }

    @Test("a row that is missing, behind or changed is found")
    func rows() async throws {
        let world = try await world()
        let log = world.store.eventsNow(after: 0, limit: 100)
        let id = log[0].stream.appointment
        let row = try #require(try await world.views.row(id))
        let empty = Verify(
            feed: world.store, scan: world.store, store: world.store, views: MemoryAppointmentView(), people: nil)
        #expect(Set(try await empty.run().findings.map(\.kind)) == [.rowMissing])
        for change in [
            { (row: inout AppointmentRow) in row.status = .failed }, { $0.updatedAt = Timestamp(milliseconds: 0) },
            { $0.slot = nil },
        ] {
            var wrong = row
            change(&wrong)
            var commit = ProjectionCommit(checkpoint: 8)
            commit.rows = [wrong]
            _ = try await world.views.commit(commit, of: ProjectionRunner.projection, expecting: 8)
            #expect(try await kinds(world, log) == [.rowDiffers])
        }
    }
}

import Appointments
import EventStore
import Foundation
import GRDB
import Handlers
import Projections
import SQLiteEngine
import TestEngines
import Testing

/// What only a file has: triggers, damage, schema, group commit, other processes.
@Suite struct SQLiteFileTests {
    private let path: String
    private let file: SQLiteFile
    private let store: SQLiteEventStore

    init() throws {
        path = try ScratchFile().path
        file = try SQLiteFile(path: path)
        store = SQLiteEventStore(file)
    }

    private func append(_ number: Int, to store: SQLiteEventStore? = nil) async throws {
        let stream = Samples.appointment(number).stream
        let sealed = try Samples.sealed("00123", stream: stream)
        _ = try await (store ?? self.store).append(
            [Samples.requested(number, personal: [sealed])], to: stream, expecting: .empty)
    }

    /// Another connection, as a person with the file has it.
    private func tamper(_ sql: String) throws {
        try otherConnection(to: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    @Test(
        "an event can't be changed, deleted or replaced, nor a position given back",
        arguments: [
            "UPDATE events SET actor = 'nobody'", "UPDATE events SET entry = x'7b7d' WHERE position = 1",
            "DELETE FROM events", "UPDATE head SET position = 0", "DELETE FROM head",
            "PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO events SELECT * FROM events",
        ])
    func appendOnly(sql: String) async throws {
        try await append(1)
        #expect(throws: DatabaseError.self) { try tamper(sql) }
        #expect(try await store.events(after: 0, limit: 10).count == 1)
        #expect(try await store.head() == 1)
    }

    @Test(
        "a row that was changed behind the triggers is corrupt when it is read",
        arguments: [
            "UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'PE', 'CL') AS BLOB)",
            "UPDATE events SET leaf = zeroblob(32)", "UPDATE events SET leaf = x'00'", "UPDATE events SET version = 2",
            "UPDATE events SET stream = zeroblob(16)", "UPDATE events SET entry = x'00'",
            "UPDATE events SET sealed = x'7b'", "UPDATE events SET type = 'failed'", "UPDATE events SET country = 'CL'",
            "UPDATE events SET at = at + 1", "UPDATE events SET actor = 'nobody'",
            "UPDATE events SET correlation = 'another'",
        ])
    func corrupt(sql: String) async throws {
        try await append(1)
        try tamper("DROP TRIGGER events_are_never_updated; \(sql)")
        let error = await #expect(throws: EventStoreError.self) { try await store.events(after: 0, limit: 10) }
        #expect(error?.code == .corrupt)
    }

    @Test("a file of a newer program is refused, and one that is no database as well")
    func schema() throws {
        try tamper("INSERT INTO grdb_migrations VALUES ('99 tomorrow')")
        let newer = #expect(throws: EventStoreError.self) { try SQLiteFile(path: path) }
        #expect(newer?.code == .corrupt)
        #expect(newer?.message.contains("newer program") == true)
        let other = try ScratchFile().path
        try Data("This is no database, but a text that is long enough to be looked at.".utf8)
            .write(to: URL(fileURLWithPath: other))
        let noDatabase = #expect(throws: EventStoreError.self) { try SQLiteFile(path: other) }
        #expect(noDatabase?.code == .corrupt)
    }

    @Test("a file that was written is read by the next process, and positions go on")
    func reopened() async throws {
        try await append(1)
        let again = SQLiteEventStore(try SQLiteFile(path: path))
        try await append(2, to: again)
        #expect(try await store.head() == 2)
        // The first one sees what the second has written, and writes behind it.
        try await append(3)
        #expect(try await again.head() == 3)
    }

    @Test("appends that wait together are committed together, and one that is refused takes no other with it")
    func groupCommit() async throws {
        try await append(0)
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    // Every fourth one expects an empty stream where there is an event.
                    let stream = Samples.appointment(number % 4 == 0 ? 0 : number).stream
                    let event = Samples.later(1000 + number)
                    return (try? await store.append([event], to: stream, expecting: .empty)) != nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 } == 48)
        let positions = try await store.events(after: 0, limit: 100).map(\.position)
        #expect(positions == (1...49).map(Optional.some))
    }

    @Test("the view is written in the append's transaction, with its checkpoint")
    func viewAlong() async throws {
        try await append(1)
        let views = SQLiteAppointmentView(file)
        #expect(try await views.checkpoint(of: ProjectionRunner.projection) == 1)
        #expect(try await views.row(Samples.appointment(1))?.version == 1)
        // A store that leaves the view behind is followed by the runner.
        let bare = SQLiteEventStore(file, writesView: false)
        try await append(2, to: bare)
        try await append(3)
        #expect(try await views.checkpoint(of: ProjectionRunner.projection) == 1)
        #expect(try await views.row(Samples.appointment(3)) == nil)
        let runner = ProjectionRunner(
            feed: store, store: store, views: views,
            people: PersonResolver(
                directory: SQLiteSubjectDirectory(file), keys: try KeyRing(master: Array(repeating: 1, count: 32))))
        while try await runner.step(now: Samples.noon) > 0 {}
        #expect(try await views.row(Samples.appointment(3))?.version == 1)
        try await append(4)
        #expect(try await views.row(Samples.appointment(4))?.version == 1)
    }

    @Test("what the last server had in hand is visible again to the next, and keeps its receive count")
    func begin() async throws {
        let clock = HandClock()
        let messaging = SQLiteMessaging(file, now: clock.now)
        try await messaging.queue(.peru).send([OutgoingMessage(body: [1])])
        let first = try await messaging.queue(.peru).receive(
            limit: 1, waitMilliseconds: 0, visibilityMilliseconds: 180_000)
        #expect(first.map(\.receiveCount) == [1])
        let next = SQLiteMessaging(try SQLiteFile(path: path), now: clock.now)
        try await next.begin()
        let second = try await next.queue(.peru).receive(
            limit: 1, waitMilliseconds: 0, visibilityMilliseconds: 180_000)
        #expect(second.map(\.receiveCount) == [2])
        try await messaging.queue(.peru).delete(first.map(\.receipt))
        #expect(try await next.queue(.peru).depth().inFlight == 1)
    }
}

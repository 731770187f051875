import Appointments
import EventStore
import GRDB
import Replay
import SQLiteEngine
import TestEngines
import Testing

/// The counts of events that SQLite keeps with the appends.
@Suite struct EventCountTests {
    private let path: String

    init() throws { path = try ScratchFile().path }

    private func append(_ numbers: ClosedRange<Int>) async throws {
        let store = SQLiteEventStore(try SQLiteFile(path: path))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in numbers {
                group.addTask {
                    let stream = Samples.appointment(number).stream
                    let sealed = try Samples.sealed("00123", stream: stream)
                    let event = try Samples.requested(number, personal: [sealed])
                    _ = try await store.append([event], to: stream, expecting: .empty)
                    // Those that append nothing are not counted: a retry, and a conflict.
                    _ = try await store.append([event], to: stream, expecting: .empty)
                    _ = try? await store.append([event], to: stream, expecting: .version(7))
                }
            }
            try await group.waitForAll()
        }
    }

    private func tamper(_ sql: String) throws {
        try otherConnection(to: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    private func kept() async throws -> [Int] {
        try await SQLiteEventStore(try SQLiteFile(path: path)).counts().map(\.count)
    }

    @Test("events are counted with the append that writes them, each once")
    func counted() async throws {
        try await append(1...60)
        #expect(try await kept() == [60])
        let miscounts = try await SQLiteEventStore(SQLiteFile(path: path)).miscounts()
        #expect(miscounts.isEmpty)
    }

    @Test("a ledger that was kept without counts is counted once, when it is opened")
    func old() async throws {
        try await append(1...7)
        try tamper(
            "DROP TABLE event_counts; DELETE FROM grdb_migrations WHERE identifier LIKE '% counts of events'")
        #expect(try await kept() == [7])
        try await append(8...9)
        #expect(try await kept() == [9])
    }

    @Test(
        "counts that are not those of the events are found by verify",
        arguments: [
            "UPDATE event_counts SET count = count + 1", "DELETE FROM event_counts",
            "INSERT INTO event_counts VALUES ('completed', 'PE', 3)",
        ])
    func differs(sql: String) async throws {
        try await append(1...3)
        try tamper(sql)
        let file = try SQLiteFile(path: path)
        let (store, views) = (SQLiteEventStore(file), SQLiteAppointmentView(file))
        let report = try await Verify(
            feed: store, scan: store, store: store, views: views, people: nil, parts: [.chain]
        ).run()
        #expect(report.findings.map(\.kind) == [.countDiffers])
    }
}

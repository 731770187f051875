import Appointments
import EventStore
import Foundation
import GRDB
import Replay
import SQLiteEngine
import TestEngines
import Testing

/// What somebody with another connection to the file can do to rows that only grow, and what `verify` sees of it.
@Suite struct SQLiteProtectionTests {
    private let path: String
    private let file: SQLiteFile
    private let store: SQLiteEventStore
    private let trail: SQLiteAccessLog

    init() throws {
        path = try ScratchFile().path
        file = try SQLiteFile(path: path)
        (store, trail) = (SQLiteEventStore(file), SQLiteAccessLog(file))
    }

    /// Two events and four accesses.
    private func fill() async throws {
        for number in 1...2 { try await append(number) }
        for number in 1...4 { try await trail.record(access(number)) }
    }

    private func append(_ number: Int) async throws {
        _ = try await store.append(
            [Samples.later(number)], to: Samples.appointment(number).stream, expecting: .empty)
    }

    private func access(_ number: Int) -> AccessRecord {
        AccessRecord(at: Samples.noon, caller: "key:luz", filters: Array(#"{"after":\#(number)}"#.utf8), rows: number)
    }

    /// A connection without any of the program's settings.
    private func tamper(_ sql: String) throws {
        try otherConnection(to: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    private func rows() throws -> [[Row]] {
        try otherConnection(to: path).read { database in
            try ["events", "head", "audit_access", "record_chains"].map {
                try Row.fetchAll(database, sql: "SELECT * FROM \($0) ORDER BY 1")
            }
        }
    }

    private func findings() async throws -> [Finding] {
        try await Verify(
            feed: store, scan: store, store: store, views: SQLiteAppointmentView(file), records: [trail], people: nil,
            parts: [.chain]
        ).run().findings
    }

    /// An event's columns but its position, of the row at position 1, with another actor.
    private static let forged =
        "stream, version, type, country, at, 'forged', correlation, leaf, entry, sealed FROM events WHERE position = 1"

    @Test(
        "no connection replaces a row that only grows, whatever its settings",
        arguments: [
            "INSERT OR REPLACE INTO events SELECT position, \(forged)", "REPLACE INTO events SELECT 77, \(forged)",
            "INSERT OR REPLACE INTO events (rowid, stream, version, type, country, at, actor, correlation, leaf, "
                + "entry, sealed) SELECT 1, zeroblob(16), 9, type, country, at, 'forged', correlation, leaf, entry, "
                + "sealed FROM events WHERE position = 2",
            "UPDATE OR REPLACE events SET position = 2 WHERE position = 1",
            "UPDATE OR REPLACE events SET actor = 'forged'", "UPDATE OR IGNORE events SET actor = 'forged'",
            "INSERT INTO events SELECT position, \(forged) AND true ON CONFLICT DO UPDATE SET actor = 'forged'",
            "INSERT OR REPLACE INTO head (id, position) VALUES (1, 0)",
            "REPLACE INTO head (id, position) VALUES (1, 99)",
            "UPDATE OR REPLACE head SET position = 0",
            "INSERT OR REPLACE INTO audit_access SELECT id, at, 'forged', '{}', 0, hash FROM audit_access",
            "UPDATE OR REPLACE audit_access SET id = 2 WHERE id = 1", "DELETE FROM audit_access",
            "INSERT INTO audit_access (at, caller, filters, rows) VALUES (0, 'forged', '{}', 0)",
            "INSERT OR REPLACE INTO record_chains VALUES ('accesses', 0, zeroblob(32))",
            "UPDATE OR REPLACE record_chains SET count = 3", "DELETE FROM record_chains",
            "UPDATE record_chains SET name = 'gone', count = 9",
        ])
    func replacement(sql: String) async throws {
        try await fill()
        let before = try rows()
        for setting in ["", "PRAGMA recursive_triggers = ON; "] {
            #expect(throws: DatabaseError.self, "\(sql)") { try tamper(setting + sql) }
        }
        #expect(try rows() == before)
        #expect(try await findings().isEmpty)
        try await append(3)
        try await trail.record(access(5))
        #expect(try await findings().isEmpty)
    }

    @Test(
        "accesses that were rewritten behind the triggers are found at the first place that does not hold",
        arguments: [
            ("UPDATE audit_access SET caller = 'key:innocent'", Finding.Kind.recordDiffers, 1),
            ("UPDATE audit_access SET rows = 0 WHERE id = 3", .recordDiffers, 3),
            ("UPDATE audit_access SET filters = '{}' WHERE id = 4", .recordDiffers, 4),
            ("UPDATE audit_access SET at = at + 1 WHERE id = 2", .recordDiffers, 2),
            ("UPDATE audit_access SET hash = NULL WHERE id = 2", .recordDiffers, 2),
            ("UPDATE audit_access SET id = -1 WHERE id = 3", .recordDiffers, -1),
            ("UPDATE audit_access SET id = 9 WHERE id = 3", .recordDiffers, 4),
            ("DELETE FROM audit_access WHERE id = 2", .recordDiffers, 3),
            ("DELETE FROM audit_access WHERE id = 4", .recordMissing, 3),
            ("DELETE FROM audit_access", .recordMissing, 0),
            ("UPDATE record_chains SET count = 9, hash = zeroblob(32)", .recordMissing, 4),
        ])
    func rewritten(sql: String, kind: Finding.Kind, place: Int) async throws {
        try await fill()
        try tamper("DROP TRIGGER accesses_are_never_updated; DROP TRIGGER accesses_are_never_deleted; \(sql)")
        let found = try await findings()
        #expect(found.map(\.kind) == [kind] && found.map(\.position) == [place], "\(found)")
        #expect(found.map(\.key) == ["accesses"])
    }

    @Test("an access that was put behind the last one by hand is found, before another follows and after it")
    func putIn() async throws {
        try await fill()
        try tamper("INSERT INTO audit_access VALUES (5, 0, 'forged', '{}', 0, zeroblob(32))")
        #expect(try await findings().map(\.kind) == [.recordDiffers])
        try await trail.record(access(6))
        #expect(try await findings().map(\.kind) == [.recordDiffers])
    }

    @Test("accesses of a file from before the chain are taken in as they stand, and guarded from then on")
    func before() async throws {
        try await fill()
        try tamper(
            """
            DROP TRIGGER accesses_are_chained; DROP TRIGGER accesses_are_never_replaced;
            DROP TRIGGER events_are_never_replaced; DROP TRIGGER head_is_never_replaced; DROP TABLE record_chains;
            ALTER TABLE audit_access DROP COLUMN hash;
            INSERT INTO audit_access VALUES (9, 7, 'key:old', '{"after": 0}', 2);
            DELETE FROM grdb_migrations WHERE identifier LIKE '%protection%';
            """)
        let again = SQLiteAccessLog(try SQLiteFile(path: path))
        #expect(try await again.chain().count == 5)
        try await again.record(access(10))
        #expect(try await again.firstBreak() == nil)
        #expect(try await findings().isEmpty)
        let replacement = "INSERT OR REPLACE INTO events SELECT position, \(Self.forged)"
        #expect(throws: DatabaseError.self) { try tamper(replacement) }
        try tamper("DROP TRIGGER accesses_are_never_updated; UPDATE audit_access SET rows = 3 WHERE id = 9")
        #expect(try await again.firstBreak() == .record(number: 9))
    }

    @Test(
        "a row outside of the log is found, and an append that meets one says so and what to do",
        arguments: [
            ("max(position) + 1, stream, version + 1", 3, true), ("0, stream, version + 1", 0, false),
            ("-7, zeroblob(16), 1", -7, false), ("max(position) + 40, zeroblob(16), 1", 42, false),
        ])
    func outside(columns: String, position: Int, isMet: Bool) async throws {
        try await fill()
        let rest = "type, country, at, actor, correlation, leaf, entry, sealed"
        let names = "stream, version, \(rest)"
        try tamper("INSERT INTO events (position, \(names)) SELECT \(columns), \(rest) FROM events LIMIT 1")
        let found = try await findings().filter { $0.kind == .outsideLog }
        #expect(found.map(\.position) == [position])
        #expect(try await store.head() == 2)
        guard isMet else { return }
        let error = await #expect(throws: EventStoreError.self) { try await append(3) }
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains("position 3, behind the head of the log") == true, "\(error?.message ?? "")")
        #expect(try await store.head() == 2, "the head passes over no stranger's row")
    }
}

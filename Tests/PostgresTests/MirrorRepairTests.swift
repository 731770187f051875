import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import TestEngines
import TestPostgres
import Testing

/// Damage that somebody with all rights does to a mirror behind its triggers, and what `verify` is to call it.
private struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let sql: String
    let kinds: Set<Finding.Kind>

    init(_ name: String, _ kinds: Set<Finding.Kind>, _ sql: String) {
        (testDescription, self.kinds, self.sql) = (name, kinds, sql)
    }

    /// Positions 1 to 12: three events each of four appointments, one appointment behind the other.
    static let all = [
        Damage("the last event of all is deleted", [.mirrorMissing], "DELETE FROM ledger.entries WHERE position = 12"),
        Damage(
            "the last event of a stream is deleted", [.mirrorMissing], "DELETE FROM ledger.entries WHERE position = 6"),
        Damage(
            "a whole stream is deleted", [.mirrorMissing],
            "DELETE FROM ledger.entries WHERE position BETWEEN 4 AND 6"),
        Damage(
            "payloads are swapped", [.mirrorDiffers, .mirrorDamaged],
            """
            UPDATE ledger.entries AS one SET (entry, leaf, previous) = (
                SELECT entry, leaf, previous FROM ledger.entries AS other
                WHERE other.position = CASE one.position WHEN 2 THEN 5 ELSE 2 END)
            WHERE position IN (2, 5)
            """),
        Damage(
            "positions are swapped", [.mirrorMisplaced],
            """
            UPDATE ledger.entries SET position = 1000 WHERE position = 3;
            UPDATE ledger.entries SET position = 3 WHERE position = 9;
            UPDATE ledger.entries SET position = 9 WHERE position = 1000
            """),
        Damage(
            "a timestamp is changed", [.mirrorDamaged],
            "UPDATE ledger.entries SET at = at + interval '1 ms' WHERE position = 7"),
        Damage(
            "an actor is changed", [.mirrorDamaged], "UPDATE ledger.entries SET actor = 'key:me' WHERE position = 1"),
        Damage(
            "an event is forged, hash and all", [.mirrorDiffers],
            """
            UPDATE ledger.entries SET
                entry = convert_to(
                    replace(convert_from(entry, 'UTF8'), '"actor":"router"', '"actor":"rooter"'), 'UTF8'),
                leaf = sha256('\\x00'::bytea || convert_to(
                    replace(convert_from(entry, 'UTF8'), '"actor":"router"', '"actor":"rooter"'), 'UTF8')),
                actor = 'rooter'
            WHERE position = 12
            """),
        Damage(
            "an event is made up", [.mirrorExtra],
            """
            INSERT INTO ledger.entries
            SELECT 13, at, gen_random_uuid(), gen_random_uuid(), version, type, country, actor, correlation, leaf,
                previous, entry, sealed
            FROM ledger.entries WHERE position = 1
            """),
        // Of a person whom the directory does not know, as these, verify takes them for erased.
        Damage(
            "the sealed fields are lost", [],
            "UPDATE ledger.entries SET sealed = NULL WHERE position = 4"),
        Damage(
            "the sealed fields are another's", [.mirrorDamaged],
            """
            UPDATE ledger.entries SET sealed = (SELECT sealed FROM ledger.entries WHERE position = 1)
            WHERE position = 4
            """),
        Damage(
            "the sealed fields can't be read", [.mirrorDamaged],
            "UPDATE ledger.entries SET sealed = 'no JSON' WHERE position = 4"),
        Damage(
            "a row is changed", [.mirrorRowDiffers],
            """
            UPDATE ledger.appointments SET country = 'CL'
            WHERE appointment = (SELECT stream FROM ledger.entries LIMIT 1)
            """
        ),
        Damage(
            "a row that no program reads", [.mirrorRowDiffers],
            """
            UPDATE ledger.appointments SET status = '?', version = 9
            WHERE appointment = (SELECT stream FROM ledger.entries LIMIT 1)
            """
        ),
        Damage(
            "half a failure", [.mirrorRowDiffers],
            """
            UPDATE ledger.appointments SET message = 'x'
            WHERE appointment = (SELECT stream FROM ledger.entries LIMIT 1)
            """
        ),
        Damage("all rows are deleted", [.mirrorRowDiffers], "DELETE FROM ledger.appointments"),
        Damage(
            "a row is made up", [.mirrorRowDiffers],
            """
            INSERT INTO ledger.appointments
            SELECT gen_random_uuid(), created, updated, processed, schedule, center, specialty, medic, date, version,
                insured, country, status, reason, message, leaf
            FROM ledger.appointments LIMIT 1
            """),
        Damage(
            "a row is made up that no program reads", [.mirrorRowDiffers],
            """
            INSERT INTO ledger.appointments
            SELECT gen_random_uuid(), created, updated, processed, schedule, center, specialty, medic, date, version,
                insured, country, '?', reason, message, leaf
            FROM ledger.appointments LIMIT 1
            """),
    ]
}

@Suite(
    "What is done to a mirror is named by verify and mended by repair", .dropsDatabases,
    .enabled(if: TestCluster.isThere, TestCluster.reason))
struct MirrorRepairTests {
    private let histories = Histories()
    private let people: PersonResolver
    private let database: TestDatabase

    init() async throws {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        people = PersonResolver(directory: MemorySubjectDirectory(), keys: keys)
        database = try await TestCluster.database(.ledger)
    }

    private func mirror(as user: String = "postgres") throws -> PostgresMirror {
        PostgresMirror(try database.login(user))
    }

    /// Three more events of each of four appointments, one appointment behind the other.
    private func fill() async throws {
        for number in 1...4 { try await histories.append(3, to: number) }
        let runner = try histories.runner(into: try mirror(as: "ledger_mirror"))
        while try await runner.step(now: Samples.noon).events > 0 {}
    }

    private func check() async throws -> VerifyReport {
        try await MirrorCheck(feed: histories.store, mirror: try mirror(), people: people, batch: 5).run()
    }

    private func repair(as user: String = "postgres", isDry: Bool = false) async throws -> [MirrorRepair.Step] {
        var steps: [MirrorRepair.Step] = []
        let repair = MirrorRepair(
            feed: histories.store, scan: histories.store, mirror: try mirror(as: user), people: people, batch: 5)
        let outcome = try await repair.run(isDry: isDry) { steps.append($0) }
        #expect(outcome.entries.values.reduce(0, +) == steps.count)
        return steps
    }

    /// Does something that the triggers and constraints are there to refuse.
    private func tamper(_ sql: String) async throws {
        try await database.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.entries DISABLE TRIGGER ALL;
                \(sql);
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes;
                """)
        }
    }

    @Test("each kind of damage", arguments: Damage.all)
    private func damage(damage: Damage) async throws {
        try await fill()
        #expect(try await check().isClean)
        try await tamper(damage.sql)
        let found = try await check()
        #expect(damage.kinds.isSubset(of: found.findings.map(\.kind)), "\(found.findings)")
        let planned = try await repair(isDry: true)
        #expect(!found.isClean || !planned.isEmpty)
        #expect(try await check().findingCount == found.findingCount, "a dry run changed something")
        #expect(try await repair() == planned)
        let left = try await check()
        #expect(left.isClean, "\(left.findings)")
        #expect(try await repair().isEmpty)
        // The triggers stand again.
        let pool = try database.pool
        let error = await #expect(throws: EventStoreError.self) {
            try await pool.use { try $0.execute("DELETE FROM ledger.entries WHERE position = 1") }
        }
        #expect(error?.postgres?.sqlState == "23001")
    }

    @Test("the mirror's own role fills what was lost, at its position, and is told that it may not replace")
    func roles() async throws {
        try await fill()
        try await tamper("DELETE FROM ledger.entries WHERE position IN (5, 12)")
        #expect(try await repair(as: "ledger_mirror").map(\.action) == [.fill, .fill])
        #expect(try await check().isClean)
        try await tamper("UPDATE ledger.entries SET actor = 'key:me' WHERE position = 1")
        await #expect(throws: EventStoreError.self) { try await repair(as: "ledger_mirror") }
        #expect(try await check().findings.first?.position == 1)
    }

    /// Inserts a made-up entry behind the last as the mirror's own role may, with all triggers.
    private func makeUp() async throws {
        let pool = try database.login("ledger_mirror")
        try await pool.use { session in
            try session.run(
                """
                INSERT INTO ledger.entries
                SELECT position + 1, at, gen_random_uuid(), gen_random_uuid(), 1, type, country, actor, correlation,
                    leaf, NULL, entry, sealed
                FROM ledger.head, LATERAL (
                    SELECT at, type, country, actor, correlation, leaf, entry, sealed
                    FROM ledger.entries WHERE entries.position = 1) AS first
                """)
        }
    }

    @Test("what was made up at the end goes, and the head with it: the next event leaves no hole")
    func madeUpAtTheEnd() async throws {
        try await fill()
        try await makeUp()
        try await makeUp()
        #expect(try await mirror().state() == MirrorState(position: 14, checkpoint: 12))
        let planned = try await repair(isDry: true)
        #expect(planned.map(\.action) == [.remove, .remove])
        #expect(try await repair() == planned)
        #expect(try await mirror().state() == MirrorState(position: 12, checkpoint: 12))
        #expect(try await check().isClean)
        try await fill()
        #expect(try await mirror().state() == MirrorState(position: 24, checkpoint: 24))
        let left = try await check()
        #expect(left.isClean, "\(left.findings)")
    }

    @Test("what was made up is behind by windows of events, each one further on than in the store")
    func shifted() async throws {
        try await fill()
        try await makeUp()
        for _ in 1...3 { try await fill() }
        #expect(try await mirror().state() == MirrorState(position: 49, checkpoint: 48))
        let found = try await check()
        #expect(found.findings.contains { $0.kind == .mirrorMisplaced && $0.position == 49 })
        let planned = try await repair(isDry: true)
        #expect(planned.first.map { $0.action == .replace && $0.position == 13 } == true)
        #expect(planned.count == 36)
        #expect(try await repair() == planned)
        let left = try await check()
        #expect(left.isClean, "\(left.findings)")
        #expect(try await mirror().state() == MirrorState(position: 48, checkpoint: 48))
        #expect(try await repair().isEmpty)
    }

    @Test("a mirror that was fed a forged event is the store's again after a repair")
    func conflict() async throws {
        let forger = Histories()
        try await forger.append(1, to: 1)
        let forged = try await forger.append(1, to: 1, topic: "elsewhere")
        let events = try await histories.append(1, to: 1)
        let runner = try histories.runner(into: try mirror())
        try await runner.take(in: events + forged, now: Samples.noon)
        try await histories.append(2, to: 1)
        try await histories.append(3, to: 2)
        while try await runner.step(now: Samples.noon).events > 0 {}
        let found = try await check().findings.map(\.kind)
        #expect(found.contains(.mirrorConflict) && found.contains(.mirrorDiffers))
        _ = try await repair()
        let left = try await check()
        #expect(left.isClean, "\(left.findings)")
        #expect(try await mirror().state() == MirrorState(position: 6, checkpoint: 6))
    }
}

import EventStore
import Foundation
import TestPrograms
import Testing

/// What is derived: damaged by SQL, named, and mended.
extension CommandTests {
    /// Damage to rows of the view, what `verify` calls it, and what `repair` does about it.
    private static let damage: [(sql: String, kind: String, action: String)] = [
        ("UPDATE appointments SET status = 'completed' WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET insured = '99999' WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET insured = NULL WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET updated = updated + 1 WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET schedule = 7 WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET leaf = zeroblob(32) WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET version = 9 WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET version = 9223372036854775807 WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET created = 9223372036854775807 WHERE country = 'PE'", "row-differs", "refold"),
        ("UPDATE appointments SET version = 0 WHERE country = 'PE'", "row-behind", "refold"),
        ("UPDATE appointments SET status = 'lost' WHERE country = 'PE'", "row-unreadable", "refold"),
        ("UPDATE appointments SET center = 5 WHERE country = 'PE'", "row-unreadable", "refold"),
        ("UPDATE appointments SET date = 5, medic = 1, center = 5 WHERE country = 'PE'", "row-unreadable", "refold"),
        ("UPDATE appointments SET reason = 'SLOT_TAKEN' WHERE country = 'PE'", "row-unreadable", "refold"),
        ("UPDATE appointments SET message = 'taken' WHERE country = 'PE'", "row-unreadable", "refold"),
        ("DELETE FROM appointments WHERE country = 'PE'", "row-missing", "refold"),
        ("UPDATE checkpoints SET position = 1000 WHERE projection = 'appointments@1'", "checkpoint-ahead", "set-back"),
        ("INSERT INTO checkpoints VALUES ('router@1', 1000, 0)", "checkpoint-ahead", "set-back"),
        (copied("x''"), "row-unreadable", "remove"), (copied("x'0102'"), "row-unreadable", "remove"),
        (copied("zeroblob(17)"), "row-unreadable", "remove"),
        (copied("x'ffffffffffffffffffffffffffffffffff'"), "row-unreadable", "remove"),
        (copied("zeroblob(16), status = 'lost'"), "row-unreadable", "refold"),
        (copied("zeroblob(16)"), "row-without-events", "remove"),
    ]

    /// Adds a copy of a row under another id.
    private static func copied(_ id: String) -> String {
        """
        CREATE TEMP TABLE t AS SELECT * FROM appointments LIMIT 1; UPDATE t SET appointment = \(id); \
        INSERT INTO appointments SELECT * FROM t
        """
    }

    @Test("damage to a row is named by verify, shown first and mended by repair; no event changes", arguments: damage)
    func repair(sql: String, kind: String, action: String) async throws {
        _ = try await begin()
        let events = try await run("audit").output
        let before = try await run("audit", "view", "country", "--country", "PE", "--show-insured").output
        try await tamper(sql)
        let found = try await run("verify")
        #expect(found.status == 2)
        #expect(try rows(found).map { $0["kind"]?.text }.contains(kind))
        #expect(found.errors.contains("ledger repair"))
        let plan = try await run("repair", "--dry-run")
        #expect(plan.status == 0)
        #expect(try rows(plan).map { $0["action"]?.text } == [action])
        #expect(try await run("verify").status == 2)
        let refused = try await run("repair")
        #expect(refused.status == 1 && refused.errors.contains("--yes"))
        #expect(try await run("verify").status == 2)
        let mended = try await run("repair", "--yes")
        #expect(mended.status == 0, "\(mended.errors)")
        #expect(mended.errors.contains("1 mended"))
        #expect(try await run("verify").status == 0)
        #expect(try await run("audit").output == events)
        #expect(try await run("audit", "view", "country", "--country", "PE", "--show-insured").output == before)
        #expect(try await run("repair", "--yes").errors.contains("nothing to mend"))
    }

    @Test("a view whose checkpoint was raised follows again once it was set back, and has what came meanwhile")
    func raised() async throws {
        _ = try await begin()
        try await tamper("UPDATE checkpoints SET position = 1000 WHERE projection = 'appointments@1'")
        #expect(
            try await run("request", "--insured", "00125", "--schedule", "101", "--country", "PE").status == 0)
        #expect(
            Set(try rows(try await run("verify")).map { $0["kind"]?.text }) == ["checkpoint-ahead", "row-missing"])
        #expect(try await run("repair", "--yes").status == 0)
        #expect(
            try await run("request", "--insured", "00126", "--schedule", "102", "--country", "PE").status == 0)
        #expect(try await run("verify").status == 0)
        #expect(try await run("audit", "view", "status", "--status", "pending").lines.count == 4)
    }

    @Test("repair and rebuild change nothing while the view is held, and say what to do")
    func held() async throws {
        _ = try await begin()
        try await tamper("UPDATE appointments SET status = 'completed' WHERE country = 'PE'")
        #expect(try await run("projections", "pause", "appointments").status == 0)
        for verb in [["repair", "--yes"], ["rebuild", "--yes"]] {
            let refused = try await LedgerBinary.run(verb + ["--data", scratch.data])
            #expect(refused.status == 1 && refused.errors.contains("`ledger projections resume appointments`"))
            #expect(try await run("verify").status == 2)
        }
        #expect(try await run("repair", "--dry-run").status == 0)
        #expect(try await run("projections", "resume", "appointments").status == 0)
        #expect(try await run("repair", "--yes").status == 0)
    }

    @Test("repair leaves damage to an event as it is, and ends with 2")
    func repairOfEvents() async throws {
        _ = try await begin()
        try await tamper("DROP TRIGGER events_are_never_updated; UPDATE events SET leaf = zeroblob(32)")
        let outcome = try await run("repair", "--yes")
        #expect(outcome.status == 2)
        #expect(Set(try rows(outcome).map { $0["action"]?.text }) == ["none"])
    }

    @Test("rebuild --dry-run names what differs with the event that explains it, and rebuild puts it right")
    func rebuild() async throws {
        let ids = try await begin()
        try await tamper("UPDATE appointments SET status = 'completed' WHERE country = 'PE'")
        let dry = try await run("rebuild", "--dry-run")
        #expect(dry.status == 0)
        let row = try #require(try rows(dry).first)
        #expect(row["appointmentId"]?.text == ids[0] && row["field"]?.text == "status")
        #expect(row["live"]?.text == "completed" && row["rebuilt"]?.text == "pending")
        #expect(row["position"]?.whole == 1 && row["type"]?.text == "requested")
        #expect(dry.errors.contains("1 rows equal, 0 added, 0 missing, 1 changed"))
        #expect(try await run("verify").status == 2)
        let asked = try await run("rebuild")
        #expect(asked.status == 1 && asked.errors.contains("1 rows will be replaced") && asked.errors.contains("--yes"))
        #expect(asked.errors.contains("`ledger projections remove appointments@1/next`"))
        #expect(try await run("verify").status == 2)
        #expect(try await run("rebuild", "--anew").errors.contains("will be dropped"))
        let kept = try await run("rebuild", "--keep-old")
        #expect(kept.status == 0 && kept.errors.contains("ledger verify --views"))
        #expect(try await run("verify").status == 0)
        #expect(
            try rows(try await run("projections", "list")).map { $0["name"]?.text }
                == ["appointments@1", "router@1", "appointments@1/kept"])
        #expect(try await run("rebuild", "--rollback").status == 1)
        #expect(try await run("rebuild", "--rollback", "--yes").status == 0)
        #expect(try await run("verify").status == 2)
        #expect(try await run("rebuild", "--rollback", "--yes").status == 0)
        #expect(try await run("verify").status == 0)
        #expect(try await run("projections", "remove", "appointments@1/kept").status == 1)
        #expect(try await run("projections", "remove", "appointments@1/kept", "--yes").status == 0)
        #expect(try await run("rebuild", "--rollback").errors.contains("--keep-old"))
        #expect(try rows(try await run("projections", "list")).count == 2)
    }

    @Test("rebuild refuses to lose a row that no event explains, unless it is told to")
    func uncovered() async throws {
        _ = try await begin()
        let stray = try #require(Self.damage.last)
        try await tamper(stray.sql)
        let refused = try await run("rebuild")
        #expect(refused.status == 3)
        #expect(try rows(refused).allSatisfy { $0["kind"]?.text == "missing" })
        #expect(try await run("audit", "view", "status", "--status", "pending").lines.count == 3)
        #expect(try await run("rebuild", "--drop-unexplained").status == 1)
        #expect(try await run("rebuild", "--drop-unexplained", "--yes").status == 0)
        #expect(try await run("verify").status == 0)
    }

    @Test("rebuild refuses to replace a row that is further than its events, unless it is told to")
    func further() async throws {
        _ = try await begin()
        try await tamper("UPDATE appointments SET version = 9 WHERE country = 'PE'")
        let refused = try await run("rebuild", "--yes")
        #expect(refused.status == 3 && refused.errors.contains("`ledger projections remove appointments@1/next`"))
        #expect(try await run("verify").status == 2)
        #expect(try await run("rebuild", "--drop-unexplained").status == 1)
        #expect(try await run("rebuild", "--drop-unexplained", "--yes").status == 0)
        #expect(try await run("verify").status == 0)
    }

    @Test("a dry run leaves what a stopped rebuild has made; nobody works on that, so it is no rebuilding")
    func dryRunBeside() async throws {
        _ = try await begin()
        try await tamper("UPDATE appointments SET status = 'completed' WHERE country = 'PE'")
        #expect(try await run("rebuild").status == 1)
        #expect(try await run("rebuild", "--dry-run").status == 0)
        func states() async throws -> [String?] {
            try rows(try await run("projections", "list")).map { $0["state"]?.text }
        }
        #expect(try await states() == ["rebuilding", "catching up", "rebuilding"])
        try await tamper("UPDATE view_sets SET moved = moved - 200000")
        #expect(try await states() == ["live", "catching up", "detached"])
        #expect(try await run("rebuild", "--anew", "--yes").status == 0)
        #expect(try await run("verify").status == 0)
    }

    @Test("rebuild stops at an event that it can't fold, names it, and goes on when it is mended")
    func rebuildStops() async throws {
        _ = try await begin()
        try await tamper(
            """
            CREATE TABLE was AS SELECT * FROM events WHERE position = 2; DROP TRIGGER events_are_never_updated; \
            UPDATE events SET leaf = zeroblob(32) WHERE position = 2
            """)
        let stopped = try await run("rebuild")
        #expect(stopped.status == 1)
        #expect(stopped.errors.contains("version 1 of appointment-"))
        try await tamper("UPDATE events SET leaf = (SELECT leaf FROM was) WHERE position = 2; DROP TABLE was")
        #expect(try await run("rebuild").status == 0)
    }

    @Test("reconcile compares store and view by digest and shows the fields that differ")
    func reconcile() async throws {
        let ids = try await begin()
        let whole = try await run("reconcile")
        #expect(whole.status == 0 && whole.errors.contains("2 appointments, digest "))
        try await tamper(
            """
            UPDATE appointments SET status = 'failed' WHERE country = 'PE';
            DELETE FROM appointments WHERE country = 'CL'
            """
        )
        let found = try await run("reconcile")
        #expect(found.status == 2)
        let rows = try rows(found)
        #expect(rows.first { $0["kind"]?.text == "differs" }?["field"]?.text == "status")
        #expect(rows.first { $0["kind"]?.text == "differs" }?["appointmentId"]?.text == ids[0])
        #expect(rows.contains { $0["kind"]?.text == "missing" && $0["appointmentId"]?.text == ids[1] })
        #expect(found.errors.contains("2 differ"))
    }

    @Test("a sample verifies what it looks at, and finds damage there")
    func sample() async throws {
        _ = try await begin()
        let whole = try await run("verify", "--sample", "10")
        #expect(whole.status == 0 && whole.errors.contains("what was looked at holds"))
        try await tamper("UPDATE appointments SET status = 'completed'")
        #expect(try await run("verify", "--sample", "10").status == 2)
    }

    @Test("a projection that is held stands still, in every process, and catches up when it is resumed")
    func paused() async throws {
        _ = try await begin()
        func state(_ name: String) async throws -> JSONValue? {
            try rows(try await run("projections", "list")).first { $0["name"]?.text == name }
        }
        #expect(try await state("appointments@1")?["state"]?.text == "live")
        #expect(try await state("router@1")?["state"]?.text == "catching up")
        #expect(try await run("projections", "pause", "appointments").status == 0)
        #expect(
            try await run("request", "--insured", "00125", "--schedule", "101", "--country", "PE").status == 0)
        let held = try await state("appointments@1")
        #expect(held?["state"]?.text == "paused" && held?["lag"]?.whole == 1)
        #expect(try await run("audit", "view", "status", "--status", "pending").lines.count == 2)
        let resumed = try await run("projections", "resume", "appointments")
        #expect(resumed.errors.contains("1 events"))
        #expect(try await state("appointments@1")?["state"]?.text == "live")
        #expect(try await run("audit", "view", "status", "--status", "pending").lines.count == 3)
        #expect(try await run("projections", "resume", "appointments").status == 1)
        #expect(try await run("projections", "pause", "nobody").status == 1)
        #expect(try await run("projections", "remove", "router@1", "--yes").status == 1)
        #expect(try await run("projections", "rebuild", "appointments", "--dry-run").status == 0)
    }

    @Test("a parked event is shown as today's program reads it, and goes on or is given up")
    func parkedVerbs() async throws {
        let ids = try await begin()
        try await tamper(
            """
            INSERT INTO parked SELECT 'appointments@1', appointment, 1, 'a newer program wrote it', 0 FROM appointments;
            UPDATE appointments SET version = 0, status = 'failed' WHERE country = 'PE'
            """)
        let shown = try rows(try await run("dlq", "show", "\(ids[0])@1"))
        #expect(shown.first?["event"]?["type"]?.text == "requested")
        #expect(String(decoding: shown.first?["readable"]?.bytes ?? [], as: UTF8.self) == "true")
        #expect(try await run("dlq", "redrive", "\(ids[0])@1").status == 0)
        #expect(try rows(try await run("dlq", "list")).map { $0["appointmentId"]?.text } == [ids[1]])
        #expect(try await run("verify").status == 0)
        #expect(try await run("dlq", "show", "\(ids[0])@1").status == 1)
        #expect(try await run("dlq", "discard", "\(ids[1])@1", "--reason", "made by a test").status == 1)
        #expect(try await run("dlq", "discard", "\(ids[1])@1", "--reason", "made by a test", "--yes").status == 0)
        #expect(try await run("dlq", "list").lines.isEmpty)
        #expect(try rows(try await run("state", ids[1]))[0]["status"]?.text == "failed")
        #expect(try await run("verify").status == 0)
    }
}

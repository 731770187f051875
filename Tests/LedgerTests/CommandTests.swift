import EventStore
import Foundation
import Handlers
import RawHTTP
import TestPrograms
import Testing

/// The verbs of the command line, over the built program.
@Suite struct CommandTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    func run(_ arguments: String..., input: String = "") async throws -> LedgerBinary.Outcome {
        let run = try RunningLedger(arguments + ["--data", scratch.data], input: input)
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }

    func rows(_ outcome: LedgerBinary.Outcome) throws -> [JSONValue] {
        try outcome.lines.map { try JSONValue(Array($0.utf8)) }
    }

    /// A ledger with 500 slots a country, and two requests that no server has taken on.
    func begin() async throws -> [String] {
        let slots = (1...500).flatMap { number in
            [(number, "PE"), (1000 + number, "CL")].map { "\($0),\($1),7,1,\(number),2046-01-08T15:00:00Z\n" }
        }
        let begun = try await run("schedules", "import", "-", input: "\(Self.header)\n" + slots.joined())
        try #require(begun.status == 0, "\(begun.errors)")
        var ids: [String] = []
        for (insured, country) in [("00123", "PE"), ("00124", "CL")] {
            let outcome = try await run(
                "request", "--insured", insured, "--schedule", country == "PE" ? "100" : "1001", "--country", country)
            try #require(outcome.status == 0, "\(outcome.errors)")
            ids.append(try #require(try rows(outcome).first?["appointmentId"]?.text))
        }
        return ids
    }

    @Test("a verb on a directory without a ledger says how to begin one, and makes nothing")
    func noLedger() async throws {
        let outcome = try await run("stats")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("ledger serve"))
        #expect(outcome.output.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: scratch.data))
    }

    @Test(
        "usage errors end with 1 and name the argument",
        arguments: [
            ["history", "x"], ["history"], ["request", "--insured", "123", "--schedule", "1", "--country", "PE"],
            ["request", "--insured", "00123", "--schedule", "0", "--country", "PE"], ["audit", "--limit", "0"],
            ["audit", "--type", "deleted"], ["audit", "--from", "yesterday"], ["stats", "--format", "xml"],
            ["stats", "--engine", "aws"], ["serve", "--port", "70000"], ["serve", "--log-level", "loud"],
            ["state", "01a20eb6-7f19-7b9d-981d-8314088a3df2", "--version", "0"], ["dlq", "redrive"], ["unknown"],
        ])
    func usage(arguments: [String]) async throws {
        let run = try RunningLedger(arguments + (arguments == ["unknown"] ? [] : ["--data", scratch.data]))
        #expect(try await run.waitForExit() == 1)
        #expect(!run.errors.isEmpty)
        #expect(run.output.isEmpty)
    }

    @Test(
        "each verb's help has an example",
        arguments: [
            "serve", "request", "history", "state", "audit", "stats", "schedules", "schedules import",
            "schedules list", "schedules export", "keys", "keys create", "keys list", "keys revoke", "keys rotate",
            "keys role", "keys records", "dlq", "dlq list",
            "dlq show", "dlq redrive", "dlq discard", "verify", "repair", "reconcile", "rebuild", "replay", "diff",
            "why",
            "audit view", "audit access", "projections", "projections list", "projections pause", "projections resume",
            "projections rebuild", "projections remove", "witness", "witness serve", "witness key", "monitor",
        ])
    func help(verb: String) async throws {
        let run = try RunningLedger(verb.split(separator: " ").map(String.init) + ["--help"])
        #expect(try await run.waitForExit() == 0)
        #expect(run.output.contains("EXAMPLE"))
        #expect(run.output.contains("  ledger \(verb)"))
    }

    @Test("history shows every event with its hashes, and state what the events make")
    func history() async throws {
        let id = try await begin()[0]
        let history = try rows(try await run("history", id))
        #expect(history.map { $0["type"]?.text } == ["requested"])
        #expect(history[0]["leaf"]?.text?.count == 44)
        let state = try rows(try await run("state", id))
        #expect(state[0]["status"]?.text == "pending")
        #expect(state[0]["insuredId"]?.text == "***23")
        #expect(try rows(try await run("state", id, "--show-insured"))[0]["insuredId"]?.text == "00123")
        #expect(try await run("state", id, "--as-of", "2020-01-01T00:00:00Z").status == 1)
        let unknown = try await run("history", "01a20eb6-7f19-7b9d-981d-8314088a3df2")
        #expect(unknown.status == 1)
        #expect(unknown.errors.hasPrefix("ledger: there is no appointment"))
    }

    @Test("audit filters, and the four formats hold the same rows")
    func audit() async throws {
        let ids = try await begin()
        #expect(try rows(try await run("audit")).map { $0["appointmentId"]?.text } == ids.map(Optional.some))
        #expect(try rows(try await run("audit", "--country", "CL")).count == 1)
        #expect(try rows(try await run("audit", "--insured", "00123")).map { $0["appointmentId"]?.text } == [ids[0]])
        #expect(try rows(try await run("audit", "--appointment", ids[1])).count == 1)
        #expect(try rows(try await run("audit", "--actor", "nobody")).isEmpty)
        #expect(try rows(try await run("audit", "--after", "1", "--limit", "5")).count == 1)
        let json = try await run("audit", "--format", "json")
        guard case .array(let elements) = try JSONValue(Array(json.output.utf8)) else {
            Issue.record("no JSON array")
            return
        }
        #expect(elements.count == 2)
        let csv = try await run("audit", "--format", "csv")
        #expect(csv.output.hasPrefix("position,at,type,appointmentId,"))
        #expect(csv.output.components(separatedBy: "\r\n").count == 4)
        let table = try await run("audit", "--format", "table")
        #expect(table.lines.count == 4)
        #expect(table.lines[0].hasPrefix("position"))
        #expect(!(json.output + csv.output + table.output).withoutChance.contains("00123"))
    }

    @Test("a cell of CSV that a spreadsheet would run is disarmed")
    func formulas() async throws {
        _ = try await begin()
        // An actor may be named by whoever holds the file; the list of keys shows names as they are.
        try await tamper(
            """
            INSERT INTO api_keys VALUES (randomblob(32), '=cmd|calc', 'intake', 0, NULL), (randomblob(32), '@a,"b"', \
            'intake', 0, NULL)
            """
        )
        let csv = try await run("keys", "list", "--format", "csv")
        #expect(csv.output.contains("\r\n'=cmd|calc,intake,"))
        #expect(csv.output.contains("\r\n\"'@a,\"\"b\"\"\",intake,"))
    }

    @Test("the same idempotency key gives the first answer again, and another request with it is refused")
    func idempotency() async throws {
        _ = try await begin()
        func ask(_ schedule: String) async throws -> LedgerBinary.Outcome {
            try await run(
                "request", "--insured", "00123", "--schedule", schedule, "--country", "PE", "--idempotency-key", "k")
        }
        let (first, again, other) = (try await ask("7"), try await ask("7"), try await ask("8"))
        #expect(first.output == again.output)
        #expect(other.status == 1)
        #expect(other.errors.contains("used before"))
    }

    @Test("a secret is printed once and is nowhere in the ledger's files; a revoked key is listed as such")
    func keys() async throws {
        let created = try await run("keys", "create", "--name", "front-desk", "--role", "intake")
        let secret = try #require(try rows(created).first?["secret"]?.text)
        #expect(secret.hasPrefix("ldg_"))
        for file in try FileManager.default.contentsOfDirectory(atPath: scratch.data) {
            let content = try Data(contentsOf: URL(fileURLWithPath: scratch.data + "/" + file))
            #expect(content.firstRange(of: Data(secret.utf8)) == nil, "\(file)")
        }
        #expect(try await run("keys", "create", "--name", "front-desk", "--role", "admin").status == 1)
        #expect(try await run("keys", "revoke", "front-desk", "--yes").status == 0)
        #expect(try await run("keys", "revoke", "front-desk", "--yes").status == 1)
        #expect(try rows(try await run("keys", "list"))[0]["revokedAt"]?.text != nil)
    }

    @Test(
        "a bad line of slots is refused by its number, and nothing is imported",
        arguments: [
            ("9002,XX,1,1,1,2046-01-08T15:00:00Z", "line 3: countryISO"), ("9002,PE,1,1,1", "line 3: 5 fields"),
            ("0,PE,1,1,1,2046-01-08T15:00:00Z", "line 3: scheduleId"),
            ("9002,PE,1,x,1,2046-01-08T15:00:00Z", "line 3: specialtyId"),
            ("9002,PE,1,1,1,2046-02-30T15:00:00Z", "line 3: date"),
            ("9001,PE,1,1,2,2046-01-08T15:00:00Z", "line 3: scheduleId 9001 stands in line 2"),
            ("1001,PE,9,9,9,2046-01-08T15:00:00Z", "another country"),
            ("9002,PE,2,1,1,2046-01-08T15:29:00Z", "line 3: schedule 9002 overlaps schedule 9001 of the same medic"),
            ("9002,PE,1,1,1,2026-01-08T15:00:00Z", "line 3: schedule 9002 begins in the past"),
            ("9002,PE,1,1,1,2046-01-07T15:00:00Z", "line 3: schedule 9002 is outside the opening hours"),
            ("9002,PE,1,1,1,2046-01-08T16:00:00.001Z", "line 3: schedule 9002 does not begin on a whole minute"),
            ("9002,PE,1,1,1,2026-01-08T15:00:00Z", "slots that nobody can book: 1 in the past; --allow-unbookable"),
        ])
    func badSlots(line: String, error: String) async throws {
        _ = try await begin()
        let csv =
            "scheduleId,countryISO,centerId,specialtyId,medicId,date\n9001,PE,1,1,1,2046-01-08T15:00:00Z\n\(line)\n"
        let outcome = try await run("schedules", "import", "-", input: csv)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(error))
        #expect(try rows(try await run("schedules", "list", "--country", "PE")).count == 500)
    }

    @Test("slots are imported, listed and exported")
    func slots() async throws {
        let csv =
            """
            scheduleId,countryISO,centerId,specialtyId,medicId,date\r\n5,PE,1,2,3,2046-01-08T15:00:00Z\r\n6,CL,\
            1,2,3,2046-01-08T15:00:00Z\r\n
            """
        #expect(try await run("schedules", "import", "-", input: csv).status == 0)
        let list = try await run("schedules", "list")
        #expect(
            list.lines.first
                == #"""
                {"scheduleId":5,"countryISO":"PE","centerId":1,"specialtyId":2,"medicId":3,\#
                "date":"2046-01-08T15:00:00.000Z","available":true,"appointmentId":null}
                """#
        )
        #expect(
            try await run("schedules", "export").output.hasPrefix(
                "scheduleId,countryISO,centerId,specialtyId,medicId,date,available,appointmentId\r\n5,PE,"))
        #expect(try await run("schedules", "import", "nowhere.csv").status == 1)
    }

    @Test("verify ends with 0 on a whole ledger and with 2, naming the place, on one that was tampered with")
    func verify() async throws {
        let id = try await begin()[0]
        #expect(try await run("verify").status == 0)
        try await tamper(
            """
            DROP TRIGGER events_are_never_updated; UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), \
            '100', '101') AS BLOB) WHERE position = 1
            """
        )
        let outcome = try await run("verify")
        #expect(outcome.status == 2)
        #expect(try rows(outcome).contains { $0["position"]?.whole == 1 })
        #expect(outcome.errors.contains("findings"))
        #expect(try await run("history", id).status == 1)
    }

    @Test("verify finds a view row that is not the fold of its events")
    func verifyViews() async throws {
        _ = try await begin()
        try await tamper("UPDATE appointments SET status = 'completed'")
        let outcome = try await run("verify")
        #expect(outcome.status == 2)
        #expect(try rows(outcome).map { $0["kind"]?.text } == ["row-differs", "row-differs"])
    }

    @Test("a dead letter is listed, shown with its appointment, redriven, and discarded with the operator's reason")
    func deadLetters() async throws {
        let id = try await begin()[0]
        let body =
            #"""
            {"eventType":"AppointmentRequested","appointmentId":"\#(id)","scheduleId":100,"countryISO":"PE",\#
            "timestamp":"2026-11-24T00:00:00Z","correlationId":"c"}
            """#
        let sent = Int64(Date().timeIntervalSince1970 * 1000)
        let letter =
            """
            INSERT INTO dead_letters VALUES (17, 'appointments-pe', CAST('\
            \(body)' AS BLOB), \(sent), 3, 'late', \(sent))
            """
        try await tamper(letter)
        let listed = try rows(try await run("dlq", "list"))
        #expect(listed.map { $0["appointmentId"]?.text } == [id])
        #expect(try rows(try await run("dlq", "show", "17"))[0]["appointment"]?["status"]?.text == "pending")
        #expect(try await run("dlq", "redrive", "17").status == 0)
        #expect(try await run("dlq", "list").lines.isEmpty)
        #expect(try await run("dlq", "redrive", "17").status == 3)
        try await tamper("DELETE FROM messages; " + letter)
        #expect(try await run("dlq", "discard", "17", "--reason", "asked twice", "--yes").status == 0)
        let last = try #require(try rows(try await run("history", id)).last)
        #expect(last["type"]?.text == "failed")
        #expect(last["actor"]?.text?.hasPrefix("operator:") == true)
        #expect(last["data"]?["message"]?.text == "asked twice")
        #expect(try await run("dlq", "show", "17").status == 1)
    }

    @Test("stats count what there is")
    func stats() async throws {
        _ = try await begin()
        let rows = try rows(try await run("stats"))
        func value(_ figure: String, _ of: String) -> Int64? {
            rows.first { $0["figure"]?.text == figure && $0["of"]?.text == of }?["value"]?.whole
        }
        #expect(rows.first { $0["figure"]?.text == "head" }?["value"]?.whole == 2)
        #expect(value("events", "requested") == 1)
        #expect(value("lag", "router@1") == 2)
        #expect(value("lag", "appointments@1") == 0)
        #expect(value("deadLetters", "appointments-pe") == 0)
    }

    @Test("an output that nobody reads any more ends the command quietly")
    func closedOutput() async throws {
        _ = try await begin()
        let ledger = try LedgerBinary.url().path
        let outcome = try await shell("'\(ledger)' schedules list --data '\(scratch.data)' | head -n 1")
        #expect(outcome.status == 0)
        #expect(outcome.errors.isEmpty)
    }

    @Test("an output that can't be written is a failure, and not a shorter result")
    func fullOutput() async throws {
        _ = try await begin()
        let ledger = try LedgerBinary.url().path
        let outcome = try await shell("'\(ledger)' schedules export --data '\(scratch.data)' > /dev/full")
        #expect(outcome.status == 1)
        #expect(outcome.errors.hasPrefix("ledger: standard output can't be written"))
    }

    @Test("verify ends with 2 also when nobody reads what it found")
    func verifyClosed() async throws {
        _ = try await begin()
        try await tamper("UPDATE appointments SET status = 'completed'")
        let ledger = try LedgerBinary.url().path
        let outcome = try await shell(
            "{ sleep 0.1; '\(ledger)' verify --data '\(scratch.data)'; } | true; echo ${PIPESTATUS[0]}")
        #expect(outcome.output == "2\n")
    }

    @Test(
        "verify finds what was changed where no hash looks: in a column that queries filter by, in a row of the view",
        arguments: [
            ("DROP TRIGGER events_are_never_updated; UPDATE events SET country = 'CL' WHERE position = 1", "--chain"),
            ("DROP TRIGGER events_are_never_updated; UPDATE events SET actor = 'me' WHERE position = 1", "--chain"),
            ("UPDATE appointments SET status = 'lost' WHERE country = 'PE'", "--views"),
            ("UPDATE appointments SET leaf = x'00' WHERE country = 'PE'", "--views"),
        ])
    func verifyParts(sql: String, part: String) async throws {
        _ = try await begin()
        #expect(try await run("verify", part).status == 0)
        try await tamper(sql)
        #expect(try await run("verify").status == 2)
        let found = try await run("verify", part)
        #expect(found.status == 2)
        #expect(try rows(found).contains { $0["kind"]?.text?.hasSuffix("-unreadable") == true })
        if part == "--views" { #expect(try await run("verify", "--chain").status == 0) }
    }

    @Test(
        "an error is one line that says where help is, and no dump",
        arguments: [
            ["audit", "--limit", "0"], ["request"], ["stats", "--format", "xml"], ["schedules", "import", "/"],
            ["keys", "create", "--name", "x", "--role", "king"], ["dlq", "redrive", "1", "--all"],
            ["dlq", "redrive", "--all", "--limit", "0"], ["dlq", "list", "--limit", "-1"],
            ["audit", "--from", "2027-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"],
        ])
    func oneLine(arguments: [String]) async throws {
        let run = try RunningLedger(arguments + ["--data", scratch.data])
        #expect(try await run.waitForExit() == 1)
        #expect(run.errors.hasPrefix("ledger: "))
        #expect(run.errors.filter(\.isNewline).count == 1)
        #expect(!run.errors.contains("Error"))
    }

    @Test("a file of slots that is no file, or none of ours, is refused with the remedy")
    func noSlots() async throws {
        _ = try await begin()
        let strange = try await run("schedules", "import", "-", input: "scheduleId,land\n")
        #expect(strange.status == 1 && strange.errors.contains("line 1 of - names a column 'land', which is none"))
        let short = try await run("schedules", "import", "-", input: "scheduleId;countryISO\n")
        #expect(short.status == 1 && short.errors.contains("line 1 of - names no column centerId"))
        let wide = try await run("schedules", "import", "-", input: "\u{FFFD}\0")
        #expect(wide.status == 1)
        let late = try await run("schedules", "import", "-", input: "\n\(Self.header)\n")
        #expect(late.errors.contains("line 1 of -"))
        let conflict = try await run(
            "schedules", "import", "-",
            input: "\(Self.header)\n9001,CL,1,1,901,2046-01-08T15:00:00Z\n1001,PE,9,9,9,2046-01-08T15:00:00Z\n")
        #expect(conflict.status == 1)
        #expect(conflict.errors.hasPrefix("ledger: line 3: schedule 1001 belongs to another country"))
        #expect(try rows(try await run("schedules", "list", "--country", "CL")).count == 500)
    }

    static let header = "scheduleId,countryISO,centerId,specialtyId,medicId,date"

    @Test("a moment that an appointment never had is refused by history and state alike")
    func moments() async throws {
        let id = try await begin()[0]
        for verb in ["history", "state"] {
            let beyond = try await run(verb, id, "--version", "9")
            #expect(beyond.status == 1)
            #expect(beyond.errors.contains("has no version 9: it stands at version 1"))
            #expect(try await run(verb, id, "--as-of", "2020-01-01T00:00:00Z").status == 1)
            #expect(try await run(verb, id, "--version", "1").status == 0)
        }
    }

    @Test("audit filters by type, correlation and time, and follows what comes")
    func auditFilters() async throws {
        _ = try await begin()
        let all = try rows(try await run("audit"))
        let (first, second) = (all[0], all[1])
        let correlation = try #require(first["correlation"]?.text)
        let at = try #require(second["at"]?.text)
        #expect(try rows(try await run("audit", "--type", "requested")).count == 2)
        #expect(try rows(try await run("audit", "--type", "failed")).isEmpty)
        #expect(try rows(try await run("audit", "--correlation", correlation)) == [first])
        #expect(try rows(try await run("audit", "--from", at)) == [second])
        #expect(try rows(try await run("audit", "--to", at)).count == 2)
        let follow = try RunningLedger(
            ["audit", "--follow", "--country", "CL", "--format", "table", "--data", scratch.data])
        defer { follow.signal(SIGKILL) }
        try await Task.sleep(for: .milliseconds(900))
        _ = try await run("request", "--insured", "00125", "--schedule", "1002", "--country", "CL")
        let end = ContinuousClock.now + .seconds(120)
        while follow.output.filter(\.isNewline).count < 4, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(50))
        }
        let lines = follow.output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines.filter { $0.hasPrefix("position") }.count == 1)
    }

    @Test("a request from the shell is taken on by a server beside it, and its history is a chain of hashes")
    func chain() async throws {
        let server = try await LedgerServer(scratch.data)
        let asked = try await run("request", "--insured", "00123", "--schedule", "100", "--country", "PE")
        let id = try #require(try rows(asked).first?["appointmentId"]?.text)
        try await server.waitUntilAllEnded()
        try await server.stop()
        let events = try rows(try await run("history", id))
        #expect(events.map { $0["type"]?.text } == ["requested", "routed", "country-processed", "completed"])
        #expect(events[0]["actor"]?.text == "cli")
        #expect(events[0]["previous"] == .null)
        for (before, event) in zip(events, events.dropFirst()) { #expect(event["previous"] == before["leaf"]) }
        for event in events {
            let entry = try #require(event["entry"]?.text.flatMap(Base64.decode))
            #expect(event["leaf"]?.text == Hash.leaf(of: entry).description)
        }
    }

    @Test("text that would break a cell or a terminal is escaped")
    func escapes() async throws {
        _ = try await begin()
        let names = "('a\u{1B}[2J'), ('b\u{202E}c'), ('say \"\u{301}, \"')"
        try await tamper(
            """
            INSERT INTO api_keys (name, digest, role, created) \
            SELECT column1, randomblob(32), 'intake', 0 FROM (VALUES \(names))
            """
        )
        let table = try await run("keys", "list", "--format", "table").output
        #expect(table.contains("a\\u{1B}[2J  "))
        #expect(table.contains("b\\u{202E}c  "))
        #expect(!table.unicodeScalars.contains("\u{1B}"))
        let csv = try await run("keys", "list", "--format", "csv").output
        #expect(csv.utf8.split(separator: 10).contains { $0.starts(with: "\"say \"\"\u{301}, \"\"\",intake".utf8) })
    }

    @Test("redrive --all takes every letter, and a letter that can't be read is listed, shown and discarded")
    func manyLetters() async throws {
        _ = try await begin()
        let sent = Int64(Date().timeIntervalSince1970 * 1000)
        func letters(_ range: ClosedRange<Int>) -> String {
            """
            INSERT INTO dead_letters \
            WITH RECURSIVE n(id) AS (VALUES (\(range.lowerBound)) UNION ALL SELECT id + 1 FROM n \
            WHERE id < \(range.upperBound)) SELECT id, 'appointments-error', CAST('junk' AS BLOB), \(sent), 3, NULL, \
            \(sent) FROM n
            """
        }
        try await tamper(letters(1...1201))
        let some = try await run("dlq", "list")
        #expect(some.lines.count == 1000)
        #expect(some.errors.contains("more letters than 1000"))
        #expect(try await run("dlq", "redrive", "--queue", "appointments-error", "--limit", "1").status == 0)
        #expect(try await run("dlq", "redrive", "--all").errors.contains("1200 letters"))
        #expect(try await run("dlq", "list").lines.isEmpty)
        try await tamper("DELETE FROM messages; " + letters(5...5))
        #expect(try rows(try await run("dlq", "show", "5"))[0]["appointment"] == .null)
        #expect(try await run("dlq", "discard", "5", "--reason", "no message of ours", "--yes").status == 0)
        #expect(try await run("dlq", "list").lines.isEmpty)
        #expect(try rows(try await run("audit", "--type", "failed")).isEmpty)
    }

    @Test("the file holds the SHA-256 of a secret")
    func digest() async throws {
        let created = try await run("keys", "create", "--name", "front-desk", "--role", "intake")
        let secret = try #require(try rows(created).first?["secret"]?.text)
        let digest = Data(Hash(of: Array(secret.utf8)).bytes)
        let holds = try FileManager.default.contentsOfDirectory(atPath: scratch.data).contains { file in
            try Data(contentsOf: URL(fileURLWithPath: scratch.data + "/" + file)).firstRange(of: digest) != nil
        }
        #expect(holds)
    }

    func tamper(_ sql: String) async throws {
        let script =
            "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.stdin.read()); c.commit()"
        let outcome = try await shell("python3 -c '\(script)' '\(scratch.data)/ledger.sqlite'", input: sql)
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    func shell(_ command: String, input: String = "") async throws -> LedgerBinary.Outcome {
        let run = try RunningLedger(["-c", command], input: input, program: "/bin/bash")
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }
}

import EventStore
import Foundation
import Testing

/// The verbs of the command line, over the built program.
@Suite struct CommandTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func run(_ arguments: String..., input: String = "") async throws -> LedgerBinary.Outcome {
        let run = try RunningLedger(arguments + ["--data", scratch.data], input: input)
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }

    private func rows(_ outcome: LedgerBinary.Outcome) throws -> [JSONValue] {
        try outcome.lines.map { try JSONValue(Array($0.utf8)) }
    }

    /// A ledger with two requests that no server has taken on.
    private func begin() async throws -> [String] {
        #expect(try await run("keys", "create", "--name", "front-desk", "--role", "intake").status == 0)
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
            "serve", "request", "history", "state", "audit", "stats", "schedules", "schedules import", "keys",
            "keys create", "dlq", "dlq redrive", "dlq discard", "verify", "bench",
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
        #expect(!(json.output + csv.output + table.output).contains("00123"))
    }

    @Test("a cell of CSV that a spreadsheet would run is disarmed")
    func formulas() async throws {
        _ = try await begin()
        // An actor may be named by whoever holds the file; the list of keys shows names as they are.
        try await tamper(
            """
            INSERT INTO api_keys VALUES (x'00', '=cmd|calc', 'intake', 0, NULL), (x'01', '@a,"b"', 'intake', \
            0, NULL)
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
        #expect(try await run("keys", "revoke", "front-desk").status == 0)
        #expect(try await run("keys", "revoke", "front-desk").status == 1)
        #expect(try rows(try await run("keys", "list"))[0]["revokedAt"]?.text != nil)
    }

    @Test(
        "a bad line of slots is refused by its number, and nothing is imported",
        arguments: [
            ("9002,XX,1,1,1,2027-01-04T15:00:00Z", "line 3: countryISO"), ("9002,PE,1,1,1", "line 3: 5 fields"),
            ("0,PE,1,1,1,2027-01-04T15:00:00Z", "line 3: scheduleId"),
            ("9002,PE,1,x,1,2027-01-04T15:00:00Z", "line 3: specialtyId"),
            ("9002,PE,1,1,1,2027-02-30T15:00:00Z", "line 3: date"),
            ("9001,PE,1,1,2,2027-01-04T15:00:00Z", "line 3: scheduleId 9001 stands in line 2"),
            ("1001,PE,9,9,9,2027-01-04T15:00:00Z", "another country"),
            ("9002,PE,1,1,1,2027-01-04T15:00:00Z", "list it once"),
        ])
    func badSlots(line: String, error: String) async throws {
        _ = try await begin()
        let csv =
            "scheduleId,countryISO,centerId,specialtyId,medicId,date\n9001,PE,1,1,1,2027-01-04T15:00:00Z\n\(line)\n"
        let outcome = try await run("schedules", "import", "-", input: csv)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(error))
        #expect(try rows(try await run("schedules", "list", "--country", "PE")).count == 500)
    }

    @Test("slots are imported, listed and exported")
    func slots() async throws {
        let csv =
            """
            scheduleId,countryISO,centerId,specialtyId,medicId,date\r\n5,PE,1,2,3,2027-01-04T15:00:00Z\r\n6,CL,\
            1,2,3,2027-01-04T15:00:00Z\r\n
            """
        #expect(try await run("schedules", "import", "-", input: csv).status == 0)
        let list = try await run("schedules", "list")
        #expect(
            list.lines.first
                == #"""
                {"scheduleId":5,"countryISO":"PE","centerId":1,"specialtyId":2,"medicId":3,\#
                "date":"2027-01-04T15:00:00.000Z","available":true,"appointmentId":null}
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
        #expect(try await run("dlq", "discard", "17", "--reason", "asked twice").status == 0)
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

    private func tamper(_ sql: String) async throws {
        let script =
            "import sqlite3,sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.stdin.read()); c.commit()"
        let outcome = try await shell("python3 -c '\(script)' '\(scratch.data)/ledger.sqlite'", input: sql)
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    private func shell(_ command: String, input: String = "") async throws -> LedgerBinary.Outcome {
        let run = try RunningLedger(["-c", command], input: input, program: "/bin/bash")
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }
}

import EventStore
import Foundation
import TestPrograms
import Testing

/// What operators do before the first server runs, and when something went wrong.
extension CommandTests {
    @Test("a key may be made before the first server, and leaves to that server whether there are demo slots")
    func keyFirst() async throws {
        #expect(try await run("keys", "create", "--name", "front-desk", "--role", "admin").status == 0)
        #expect(try await run("schedules", "list").lines.isEmpty)
        try await LedgerServer(scratch.data, arguments: ["--no-demo-slots"]).stop()
        #expect(try await run("schedules", "list").lines.isEmpty)
        try await LedgerServer(scratch.data).stop()
        #expect(try await run("schedules", "list").lines.count == 1000)
    }

    @Test("an export is CSV, and any other format that was asked for")
    func exportFormats() async throws {
        _ = try await begin()
        let csv = try await run("schedules", "export", "--country", "PE")
        #expect(csv.output.components(separatedBy: "\r\n").count == 502)
        let lines = try rows(try await run("schedules", "export", "--country", "PE", "--format", "ndjson"))
        #expect(lines.count == 500)
        #expect(lines[99]["scheduleId"]?.whole == 100)
        let json = try await run("schedules", "export", "--country", "PE", "--format", "json")
        guard case .array(let elements) = try JSONValue(Array(json.output.utf8)) else {
            Issue.record("no JSON array")
            return
        }
        #expect(elements == lines)
    }

    @Test(
        "the operator who discards is named in the event, by safe characters alone",
        arguments: [("maria.r", "operator:maria.r"), ("eve; =x\u{E9}", "operator:evex"), ("=;", nil)])
    func operatorName(user: String, actor: String?) async throws {
        let id = try await begin()[0]
        try await addLetter(17, appointment: id)
        let ledger = try LedgerBinary.url().path
        let outcome = try await shell(
            """
            unset SUDO_USER
            USER='\(user)' '\(ledger)' dlq discard 17 --yes --reason 'asked twice' --data '\(scratch.data)'
            """
        )
        #expect(outcome.status == 0, "\(outcome.errors)")
        let last = try #require(try rows(try await run("history", id)).last)
        #expect(last["actor"]?.text == actor ?? "operator:\(getuid())")
    }

    @Test("a letter of an appointment that has ended is removed, and the appointment stays as it is")
    func discardEnded() async throws {
        let id = try await begin()[0]
        for letter in [17, 18] { try await addLetter(letter, appointment: id) }
        #expect(try await run("dlq", "discard", "17", "--reason", "asked twice", "--yes").status == 0)
        #expect(try await run("dlq", "discard", "18", "--reason", "once more", "--yes").status == 0)
        let events = try rows(try await run("history", id))
        #expect(events.map { $0["type"]?.text } == ["requested", "failed"])
        #expect(events.last?["data"]?["message"]?.text == "asked twice")
        #expect(try await run("dlq", "list").lines.isEmpty)
    }

    @Test("events that the view and the router have parked stand behind the letters, marked as such")
    func parked() async throws {
        let ids = try await begin()
        try await addLetter(17, appointment: ids[0])
        try await tamper(
            """
            INSERT INTO parked SELECT projection, appointment, 1, 'a newer program wrote it', 0
            FROM appointments, (SELECT 'appointments@1' AS projection UNION SELECT 'router@1') WHERE country = 'CL'
            """
        )
        let listed = try rows(try await run("dlq", "list"))
        #expect(listed.map { $0["kind"]?.text } == ["letter", "parked", "parked"])
        #expect(listed.map { $0["queue"]?.text } == ["appointments-pe", "appointments@1", "router@1"])
        #expect(listed.map { $0["appointmentId"]?.text } == [ids[0], ids[1], ids[1]])
        #expect(try rows(try await run("dlq", "list", "--queue", "appointments-pe")).count == 1)
    }

    @Test("parked appointments and letters that are named keep to the limit")
    func redriveLimit() async throws {
        let ids = try await begin()
        for letter in [17, 18, 19] { try await addLetter(letter, appointment: ids[0]) }
        let named = try await run("dlq", "redrive", "17", "18", "19", "--limit", "2")
        #expect(named.status == 0 && named.errors.contains("2 of 3 letters"))
        #expect(try await run("dlq", "list").lines.count == 1)
        try await tamper(
            "INSERT INTO parked SELECT 'appointments@1', appointment, 1, 'for the test', 0 FROM appointments"
        )
        let parked = try await run("dlq", "redrive", "--parked", "--limit", "1", "--rate", "5")
        #expect(parked.status == 0 && parked.errors.contains("1 of 2 go on"))
        #expect(try await run("dlq", "list").lines.count == 2)
    }

    private func addLetter(_ letter: Int, appointment: String) async throws {
        let body =
            #"""
            {"eventType":"AppointmentRequested","appointmentId":"\#(appointment)","scheduleId":100,\#
            "countryISO":"PE","timestamp":"2026-11-24T00:00:00Z","correlationId":"c"}
            """#
        let sent = Int64(Date().timeIntervalSince1970 * 1000)
        try await tamper(
            """
            INSERT INTO dead_letters VALUES (\(letter), 'appointments-pe', CAST('\(body)' AS BLOB), \(sent), 3, \
            'late', \(sent))
            """
        )
    }
}

import EventStore
import Foundation
import RawHTTP
import TestPrograms
import Testing

/// The past, and events that are sent out again.
extension CommandTests {
    /// Two appointments; the first was given up by an operator later.
    private func beginAndFail() async throws -> (ids: [String], between: String) {
        let ids = try await begin()
        // The next event gets another millisecond.
        try await Task.sleep(for: .milliseconds(20))
        let between = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)).description
        try await Task.sleep(for: .milliseconds(20))
        try await tamper(
            """
            INSERT INTO parked SELECT 'appointments@1', appointment, 1, 'for the test', 0 FROM appointments \
            WHERE country = 'PE'
            """)
        let given = try await run("dlq", "discard", "\(ids[0])@1", "--reason", "asked twice", "--yes")
        try #require(given.status == 0, "\(given.errors)")
        return (ids, between)
    }

    @Test("state, history and the lists answer as they were, at a time, a version or a position")
    func past() async throws {
        let (ids, between) = try await beginAndFail()
        func status(_ moment: String...) async throws -> String? {
            let run = try RunningLedger(["state", ids[0], "--data", scratch.data] + moment)
            try await run.waitForExit()
            return try run.output.split(separator: "\n").first.flatMap { try JSONValue(Array($0.utf8))["status"]?.text }
        }
        #expect(try await status() == "failed")
        #expect(try await status("--as-of", between) == "pending")
        #expect(try await status("--at-position", "2") == "pending")
        #expect(try await status("--at-position", "3") == "failed")
        #expect(try await status("--version", "1") == "pending")
        #expect(try await status("--at-position", "0") == nil)
        #expect(try await run("history", ids[0], "--at-position", "2").lines.count == 1)
        func list(_ moment: [String]) async throws -> [String?] {
            let words = ["audit", "view", "status", "--status", "pending", "--data", scratch.data]
            let run = try RunningLedger(words + moment)
            try await run.waitForExit()
            return try run.output.split(separator: "\n").map {
                try JSONValue(Array($0.utf8))["appointmentId"]?.text
            }
        }
        #expect(try await list([]) == [ids[1]])
        #expect(try await list(["--as-of", between]) == [ids[1], ids[0]])
        #expect(try await list(["--at-position", "1"]) == [ids[0]])
        #expect(try await list(["--as-of", "2020-01-01T00:00:00Z"]).isEmpty)
        let person = try await run("audit", "view", "insured", "--insured", "00123", "--as-of", between)
        #expect(try rows(person).map { $0["status"]?.text } == ["pending"])
        #expect(try await run("audit", "view", "insured").status == 1)
        let looks = try rows(try await run("audit", "access", "--limit", "5"))
        #expect(looks.map { $0["rows"]?.whole } == [1, 0, 1, 2, 1])
        #expect(
            looks.first?["filters"].map { String(decoding: $0.bytes, as: UTF8.self) }
                == #"{"view":"insured","insuredId":"***23","asOf":"\#(between)"}"#)
        #expect(looks.last?["filters"]?["view"]?.text == "status" && looks.last?["filters"]?["asOf"] == nil)
    }

    @Test("the lists as they were have what a view that is held lacks")
    func pastOfHeldView() async throws {
        let ids = try await begin()
        #expect(try await run("projections", "pause", "appointments").status == 0)
        let third = try rows(
            try await run("request", "--insured", "00125", "--schedule", "101", "--country", "PE"))
        let id = try #require(third.first?["appointmentId"]?.text)
        #expect(try await run("audit", "view", "country", "--country", "PE").lines.count == 1)
        for moment in [["--at-position", "3"], ["--as-of", "2100-01-01T00:00:00Z"]] {
            let list = try await LedgerBinary.run(
                ["audit", "view", "country", "--country", "PE", "--data", scratch.data] + moment)
            #expect(try rows(list).map { $0["appointmentId"]?.text } == [id, ids[0]])
        }
        let person = try await run("audit", "view", "insured", "--insured", "00125", "--at-position", "3")
        #expect(try rows(person).map { $0["insuredId"]?.text } == ["***25"])
    }

    @Test("diff says which appointments changed between two moments and how; why says which event made each field")
    func diffAndWhy() async throws {
        let (ids, between) = try await beginAndFail()
        for bounds in [("2", "3"), (between, "2100-01-01T00:00:00Z"), (between, "3")] {
            let changes = try rows(try await run("diff", "--from", bounds.0, "--to", bounds.1))
            #expect(Set(changes.map { $0["appointmentId"]?.text }) == [ids[0]], "\(bounds)")
            let status = try #require(changes.first { $0["field"]?.text == "status" })
            #expect(status["old"]?.text == "pending" && status["new"]?.text == "failed")
            #expect(status["type"]?.text == "failed" && status["actor"]?.text?.hasPrefix("operator:") == true)
            #expect(status["change"]?.text == "changed")
        }
        #expect(Set(try rows(try await run("diff", "--from", "0")).map { $0["change"]?.text }) == ["new"])
        #expect(try await run("diff", "--from", "3").lines.isEmpty)
        #expect(try await run("diff", "--from", "soon").status == 1)
        // Who was shown it is recorded, also that nothing was to be shown.
        let looks = try rows(try await run("audit", "access"))
        #expect(looks.map { $0["rows"]?.whole } == [0, 2, 1, 1, 1])
        #expect(looks.allSatisfy { $0["filters"]?["diff"]?.text == "appointments" })
        #expect(looks.first?["filters"]?["from"]?.text == "position 3")
        #expect(looks.last?["filters"]?["to"]?.text == "position 3")
        let late = "2100-01-01T00:00:00Z"
        for bounds in [("3", "2"), ("4", "3"), (late, between), ("3", between), (late, "2")] {
            let refused = try await run("diff", "--from", bounds.0, "--to", bounds.1)
            #expect(refused.status == 1 && refused.errors.contains("--to is before --from"), "\(bounds)")
        }
        #expect(try await run("diff", "--from", "4").status == 1)
        let why = try rows(try await run("why", ids[0]))
        func made(_ field: String) -> String? { why.first { $0["field"]?.text == field }?["type"]?.text }
        #expect(made("status") == "failed" && made("createdAt") == "requested" && made("schedule.date") == nil)
        #expect(why.allSatisfy { $0["projection"]?.text == "appointments@1" })
        #expect(try await run("why", ids[0], "--version", "1").output.contains("\"pending\""))
        #expect(!(try await run("why", ids[0]).output.withoutChance.contains("00123")))
    }

    @Test("a replay to standard output gives every entry as it is stored, marked, and goes on from its checkpoint")
    func replayLines() async throws {
        let (ids, _) = try await beginAndFail()
        let all = try rows(try await run("replay", "--to", "stdout", "--resume", "nightly"))
        #expect(all.compactMap { $0["position"]?.whole } == [1, 2, 3])
        #expect(all[0]["entry"]?["stream"]?.text == "appointment-\(ids[0])")
        #expect(Set(all.map { $0["replay"]?.text }).count == 1)
        #expect(try await run("replay", "--to", "stdout", "--resume", "nightly").lines.isEmpty)
        #expect(try await run("request", "--insured", "00125", "--schedule", "101", "--country", "PE").status == 0)
        #expect(try await run("replay", "--to", "stdout", "--resume", "nightly", "--rate", "100").lines.count == 1)
        #expect(try await run("replay", "--to", "stdout", "--type", "failed").lines.count == 1)
        #expect(try await run("replay", "--to", "stdout", "--insured", "00123").lines.count == 2)
        #expect(try await run("replay", "--to", "stdout", "--after", "2", "--country", "CL").lines.isEmpty)
        let other = try await run("replay", "--to", "stdout", "--resume", "nightly", "--type", "failed")
        #expect(other.status == 1 && other.lines.isEmpty && other.errors.contains("other filters"))
        #expect(try await run("replay", "--to", "bus", "--resume", "nightly", "--dry-run").status == 1)
        let listed = try rows(try await run("projections", "list"))
        let mark = try #require(listed.first { $0["name"]?.text?.hasPrefix("replay-nightly@") == true })
        let name = try #require(mark["name"]?.text)
        #expect(mark["state"]?.text == "detached" && other.errors.contains("`ledger projections remove \(name)`"))
        #expect(try await run("projections", "remove", name, "--yes").status == 0)
        #expect(try await run("replay", "--to", "stdout", "--resume", "nightly").lines.count == 4)
        for wrong in [
            ["--to", "ftp://x"], ["--to", "https://me@x"], ["--to", "http://x:0/"],
            ["--to", "stdout", "--resume", "A b"], ["--rate", "1"],
        ] {
            let run = try RunningLedger(["replay", "--data", scratch.data] + wrong)
            #expect(try await run.waitForExit() == 1)
        }
    }

    @Test("a replay behind the last position there can be sends nothing, and says so")
    func replayBehindAll() async throws {
        _ = try await begin()
        for more in [["--dry-run"], []] {
            let outcome = try await LedgerBinary.run(
                ["replay", "--to", "stdout", "--after", "\(Int.max)", "--data", scratch.data] + more)
            #expect(outcome.status == 0 && outcome.lines.isEmpty, "\(outcome.errors)")
            if !more.isEmpty { #expect(outcome.errors.contains("0 events behind position \(Int.max), up to 2")) }
        }
        #expect(try await run("audit", "--after", "\(Int.max)").status == 0)
    }

    @Test("of two replays under one name the one whose mark was moved stops")
    func replayTwice() async throws {
        _ = try await begin()
        // The other run is always one event ahead.
        try await tamper(
            """
            CREATE TRIGGER ahead AFTER INSERT ON checkpoints WHEN NEW.projection LIKE 'replay-twice@%' BEGIN
                UPDATE checkpoints SET position = NEW.position + 1 WHERE projection = NEW.projection; END
            """)
        let stopped = try await run("replay", "--to", "stdout", "--resume", "twice", "--rate", "4")
        #expect(stopped.status == 1 && stopped.lines.count == 1)
        #expect(stopped.errors.contains("another run"))
    }

    @Test("what a replay sends to topics and bus is marked, and the consumers duplicate nothing")
    func replayMessages() async throws {
        _ = try await run("schedules", "import", "-", input: "\(Self.header)\n100,PE,7,1,1,2046-01-08T15:00:00Z\n")
        let server = try await LedgerServer(scratch.data, arguments: ["--no-demo-slots"])
        for insured in 1...2 { _ = try await server.ask(insured: insured, schedule: 100) }
        try await server.waitUntilAllEnded()
        let events = try await run("audit").lines.count
        let dry = try rows(try await run("replay", "--to", "bus", "--dry-run"))
        #expect(dry.first { $0["event"]?.text == "country-processed" }?["events"]?.whole == 1)
        let processed = dry.first { $0["event"]?.text == "country-processed" }
        #expect(processed?["sentAs"]?.text == "Appointment Processed to the bus")
        #expect(dry.first { $0["event"]?.text == "requested" }?["sentAs"]?.text == "nothing")
        // Only what was routed goes to the countries again.
        let sent = try await run("replay", "--to", "topic")
        #expect(sent.status == 0)
        #expect(sent.errors.contains("\(events) events replayed to topic, \(events - 2) passed over"), "\(sent.errors)")
        #expect(try await run("replay", "--to", "bus").status == 0)
        try await waitUntilQueuesAreEmpty()
        #expect(try await run("audit").lines.count == events)
        #expect(try await run("dlq", "list").lines.isEmpty)
        try await server.stop()
        #expect(try await run("replay", "--to", "bus", "--type", "country-processed").status == 0)
        let bodies = try await shell(
            """
            python3 -c 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute(\
            "SELECT CAST(body AS TEXT) FROM messages").fetchall())' '\(scratch.data)/ledger.sqlite'
            """)
        #expect(bodies.output.contains(#""replay":""#))
        #expect(try await run("verify").status == 0)
    }

    private func waitUntilQueuesAreEmpty() async throws {
        let end = ContinuousClock.now + .seconds(180)
        while true {
            let rows = try rows(try await run("stats"))
            let open = rows.filter { ["waiting", "inFlight"].contains($0["figure"]?.text) && $0["value"]?.whole != 0 }
            if open.isEmpty { return }
            try #require(ContinuousClock.now < end, "messages still wait")
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// A certificate of 127.0.0.1 that signs itself, and its key, in a file.
    private func certificate() async throws -> String {
        let path = scratch.path + "/tls.pem"
        let made = try RunningLedger(
            [
                "-c",
                """
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=receiver \
                    -addext subjectAltName=IP:127.0.0.1 -keyout '\(path)' -out '\(path).crt' && \
                    cat '\(path).crt' >>'\(path)'
                """,
            ], program: "/bin/bash")
        #expect(try await made.waitForExit() == 0, "\(made.errors)")
        return path
    }

    @Test(
        "a replay to a URL posts each event, over TLS as well, and stops at one that is not taken",
        arguments: ["http", "https"])
    func replayURL(scheme: String) async throws {
        _ = try await begin()
        let server = try await LedgerServer(scratch.data, arguments: ["--no-demo-slots"])
        // The ledger's own API refuses these bodies: a receiver that takes nothing.
        let target = "http://127.0.0.1:\(server.port)/appointments"
        let refused = try await run("replay", "--to", target, "--type", "requested")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("position 1 (version 1 of appointment-"))
        try await server.stop()
        let script = """
            import http.server,sys
            class H(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    print(self.headers["X-Replay-Id"], body.decode(), flush=True)
                    self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
                protocol_version = "HTTP/1.1"
            s = http.server.HTTPServer(("127.0.0.1", 0), H)
            if sys.argv[1:]:
                import ssl
                c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1])
                s.socket = c.wrap_socket(s.socket, server_side=True)
            print(s.server_port, file=sys.stderr, flush=True)
            s.serve_forever()
            """
        let file = scheme == "https" ? try await certificate() : nil
        let receiver = try RunningLedger(["-c", script] + (file.map { [$0] } ?? []), program: "/usr/bin/python3")
        defer { receiver.signal(SIGKILL) }
        try await receiver.waitForErrors("\n")
        let port = receiver.errors.prefix { $0.isNumber }
        let words = ["replay", "--to", "\(scheme)://127.0.0.1:\(port)/events", "--type", "requested"]
        if file != nil {
            // Nobody it knows has signed the receiver's certificate.
            #expect(try await LedgerBinary.run(words + ["--data", scratch.data]).status == 1)
            #expect(receiver.output.isEmpty)
        }
        let sent = try await LedgerBinary.run(
            words + ["--data", scratch.data], environment: file.map { ["CURL_CA_BUNDLE": $0 + ".crt"] } ?? [:])
        #expect(sent.status == 0, "\(sent.errors)")
        let lines = receiver.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains("\"replay\":\"\($0.prefix(36))\"") })
    }

    @Test("the view can be made anew into a set that nothing reads")
    func newView() async throws {
        _ = try await begin()
        let outcome = try await run("replay", "--into-new-view", "trial")
        #expect(outcome.status == 0 && outcome.errors.contains("2 rows equal"))
        #expect(
            try rows(try await run("projections", "list")).last?["name"]?.text == "appointments@1/trial")
        let twice = try await run("replay", "--into-new-view", "trial")
        #expect(twice.status == 1 && twice.errors.contains("--anew"))
        #expect(try await run("rebuild", "--into", "trial", "--anew").status == 1)
        #expect(try await run("replay", "--into-new-view", "trial", "--anew", "--yes").status == 0)
        #expect(try await run("projections", "remove", "appointments@1/trial", "--yes").status == 0)
        let again = try await run("rebuild", "--into", "trial")
        #expect(again.status == 0 && again.errors.contains("2 rows equal"), "\(again)")
        #expect(try await run("rebuild", "--into", "trial", "--keep-old").status == 1)
        #expect(try await run("rebuild", "--into", "kept").status == 1)
        #expect(try await run("rebuild", "--into", "dry_run").status == 1)
        #expect(try await run("projections", "remove", "appointments@1/trial", "--yes").status == 0)
        #expect(try await run("replay", "--into-new-view", "next").status == 1)
        #expect(try await run("replay").status == 1)
    }
}

import Foundation
import TestPrograms
import Testing

/// What people type wrong, and machines that are set up oddly.
@Suite struct EdgeTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private var hasLedger: Bool { FileManager.default.fileExists(atPath: scratch.data) }

    @Test(
        "a host that can't be listened on is answered with what to write, and nothing is made",
        arguments: [
            ("[::1]", "write ::1"), ("256.1.1.1", "no address and no name"), ("", "--host is empty"),
            ("no.such.name.invalid", "no address and no name"), ("192.0.2.1", "no address of this machine"),
        ])
    func host(host: String, advice: String) async throws {
        let outcome = try await LedgerBinary.run("serve", "--host", host, "--port", "0", "--data", scratch.data)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(advice) && !outcome.errors.contains("Error"), "\(outcome.errors)")
        #expect(!hasLedger)
    }

    @Test("a server whose port is taken, or whose address needs keys that are not there, makes nothing")
    func port() async throws {
        let server = try await LedgerServer(scratch.path + "/other")
        let taken = try await LedgerBinary.run("serve", "--port", "\(server.port)", "--data", scratch.data)
        #expect(taken.status == 1 && taken.errors.contains("127.0.0.1:\(server.port) is in use"), "\(taken.errors)")
        try await server.stop()
        #expect(!hasLedger)
        let open = try await LedgerBinary.run("serve", "--host", "0.0.0.0", "--port", "0", "--data", scratch.data)
        #expect(open.status == 1 && open.errors.contains("ledger keys create"), "\(open.errors)")
        #expect(!hasLedger)
    }

    @Test(
        "a directory that SQLite would take for a URL is refused in words, and none is made", arguments: ["file:", ""])
    func url(prefix: String) async throws {
        let place = prefix.isEmpty ? "" : prefix + scratch.path + "/zz"
        let outcome = try await LedgerBinary.run("keys", "list", "--data", place)
        #expect(outcome.status == 1 && outcome.errors.contains("--data is"), "\(outcome.errors)")
        let served = try await LedgerBinary.run("serve", "--port", "0", "--data", place)
        #expect(served.status == 1 && served.errors.contains("--data is"), "\(served.errors)")
        #expect(!FileManager.default.fileExists(atPath: place.isEmpty ? scratch.data : place))
    }

    @Test("without standard streams no file and no socket has their numbers, and what can't be printed is an error")
    func closedStreams() async throws {
        let ledger = try LedgerBinary.url().path
        let run = try RunningLedger(
            ["-c", "exec '\(ledger)' serve --port 0 --data '\(scratch.data)' <&- >&- 2>&-"], program: "/bin/sh")
        defer { run.signal(SIGKILL) }
        let folder = "/proc/\(run.pid)/fd"
        let end = ContinuousClock.now + .seconds(60)
        // It waits for signals once everything else is open.
        while !holds("anon_inode:[signalfd]", folder) || !holds(scratch.data + "/serve.lock", folder) {
            try #require(run.isRunning && ContinuousClock.now < end, "it does not begin")
            try await Task.sleep(for: .milliseconds(20))
        }
        for number in 0...2 {
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)") == "/dev/null")
        }
        run.signal(SIGTERM)
        #expect(try await run.waitForExit() == 0)
        let listed = try RunningLedger(
            ["-c", "exec '\(ledger)' schedules list --data '\(scratch.data)' >&-"], program: "/bin/sh")
        #expect(try await listed.waitForExit() == 1)
        #expect(listed.errors.contains("standard output can't be written"), "\(listed.errors)")
    }

    /// Whether a process has something open.
    private func holds(_ thing: String, _ folder: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) == thing
        }
    }

    @Test("who follows a quiet ledger ends soon after its reader")
    func reader() async throws {
        let program = try LedgerBinary.url().path
        let run = try RunningLedger(
            ["-c", "'\(program)' audit --follow --data '\(try await ledger())' | true"], program: "/bin/sh")
        #expect(try await run.waitForExit() == 0)
    }

    @Test("a replay reaches an IPv6 address, and this machine straight whatever proxy there is")
    func replay() async throws {
        let asked = try await LedgerBinary.run(
            "request", "--insured", "00123", "--schedule", "1", "--country", "PE", "--data", try await ledger())
        #expect(asked.status == 0, "\(asked.errors)")
        let script = """
            import http.server, socket, sys
            class H(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    self.rfile.read(int(self.headers["content-length"]))
                    print("post", flush=True); self.send_response(204); self.end_headers()
                def log_message(self, *a): pass
            class S(http.server.HTTPServer): address_family = socket.AF_INET6
            s = S(("::1", 0), H)
            print(s.server_port, file=sys.stderr, flush=True)
            s.serve_forever()
            """
        let receiver = try RunningLedger(["-c", script], program: "/usr/bin/python3")
        defer { receiver.signal(SIGKILL) }
        try await receiver.waitForErrors("\n")
        let port = receiver.errors.prefix { $0.isNumber }
        // Nobody listens there: what goes by it is lost.
        let proxy = "http://127.0.0.1:9"
        let sent = try await LedgerBinary.run(
            "replay", "--to", "http://[::1]:\(port)/events", "--data", scratch.data,
            environment: ["http_proxy": proxy, "all_proxy": proxy])
        #expect(sent.status == 0, "\(sent.errors)")
        #expect(receiver.output.contains("post"))
    }

    private func ledger() async throws -> String {
        let made = try await LedgerBinary.run(
            "keys", "create", "--name", "front", "--role", "intake", "--data", scratch.data)
        #expect(made.status == 0, "\(made.errors)")
        return scratch.data
    }

    @Test(
        "a target of a replay that is no URL is refused",
        arguments: [
            "http://[::1", "http://[::1]x/", "http://[zz]/", "http://[::1]:0/", "http://::1/", "http://u@[::1]/",
        ])
    func targets(target: String) async throws {
        let outcome = try await LedgerBinary.run("replay", "--to", target, "--data", scratch.data)
        #expect(outcome.status == 1 && outcome.errors.contains("is no target"), "\(outcome.errors)")
    }
}

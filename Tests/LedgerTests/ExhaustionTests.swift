import Foundation
import RawHTTP
import TestPostgres
import TestPrograms
import Testing

/// What the program stands though a stranger, a reader of its log or a database does not do its part.
@Suite(.serialized, .dropsDatabases) struct ExhaustionTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func residentMegabytes(_ pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.split(separator: " ").dropFirst().first ?? "")) / 1024
    }

    @Test("a hundred clients that send and do not read cost a hundred megabytes at most")
    func memory() async throws {
        let server = try await LedgerServer(scratch.data)
        let before = try residentMegabytes(server.run.pid)
        let (port, pid) = (server.port, server.run.pid)
        let most = try await onThread { () -> Int in
            let requests = Array(repeatElement(request("GET /openapi.yaml"), count: 1400).joined())
            let clients = try (0..<100).map { _ in try RawClient(port: port, receiveBytes: 4096) }
            for client in clients { client.send(requests) }
            var most = 0
            for _ in 0..<40 {
                most = max(most, try residentMegabytes(pid))
                usleep(50_000)
            }
            withExtendedLifetime(clients) {}
            return most
        }
        #expect(most - before < 100, "from \(before) MB to \(most) MB")
        try await server.stop()
    }

    @Test("more idle connections than there may be keep nobody out, from their address or another")
    func connections() async throws {
        let server = try await LedgerServer(
            scratch.data, arguments: ["--connections", "100", "--connections-per-address", "40"])
        let port = server.port
        try await onThread {
            let idle = try (0..<300).map { try RawClient(port: port, from: "127.0.0.\($0 / 60 + 1)") }
            for address in ["127.0.0.1", "127.0.0.9"] {
                let client = try RawClient(port: port, timeoutSeconds: 10, from: address)
                client.send(request("GET /health/live"))
                #expect(client.answer()?.status == 200)
            }
            withExtendedLifetime(idle) {}
        }
        try await server.stop()
    }

    @Test("a log that nobody reads stops nobody, and what was dropped is counted and told")
    func unreadLog() async throws {
        let fifo = scratch.path + "/log"
        try #require(mkfifo(fifo, 0o600) == 0)
        let reader = open(fifo, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let port = try freePort()
        let server = try RunningProgram(
            path: "/bin/sh",
            [
                "-c", "exec \"$0\" serve --data \"$1\" --port \(port) --log-level trace 2> \"$2\"",
                try LedgerBinary.url().path, scratch.data, fifo,
            ])
        var log = ""
        while !log.contains("listening on") {
            try #require(server.isRunning)
            log += readAll(reader)
            try await Task.sleep(for: .milliseconds(20))
        }
        // From here on nobody reads. The pipe and the buffer are full after some thousand lines.
        var dropped = 0
        for _ in 0..<100 where dropped == 0 {
            let answered = try await onThread { () -> Bool in
                let client = try RawClient(port: port)
                for _ in 0..<10 {
                    client.send(Array(repeatElement(request("GET /health/live"), count: 50).joined()))
                    for _ in 0..<50 where client.answer() == nil { return false }
                }
                return true
            }
            try #require(answered, "the server does not answer")
            let metrics = try #require(try await exchange(port, request("GET /metrics"))).text
            let line = metrics.split(separator: "\n").first { $0.hasPrefix("ledger_log_lines_dropped_total ") }
            dropped = try #require(line?.split(separator: " ").last.flatMap { Int($0) })
        }
        #expect(dropped > 0)
        var tail = ""
        while !tail.contains("lines that nobody read in time") {
            try #require(server.isRunning)
            tail += readAll(reader)
            try await Task.sleep(for: .milliseconds(5))
        }
        server.signal(SIGTERM)
        while server.isRunning {
            tail += readAll(reader)
            try await Task.sleep(for: .milliseconds(5))
        }
        tail += readAll(reader)
        #expect(try await server.waitForExit() == 0)
        #expect(tail.contains("stopped; everything that was accepted is stored"))
        let lines = tail.split(separator: "\n").dropFirst()
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    }

    private func readAll(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    private func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(result)
        return Int(UInt16(bigEndian: address.sin_port))
    }

    @Test(
        "a database that is frozen delays no health answer: it is named there, and the ledger stays ready",
        .enabled(if: TestCluster.isThere, TestCluster.reason))
    func frozen() async throws {
        let cluster = try await OwnCluster.make()
        let environment = ["RDS_URL_PE": cluster.database.url]
        #expect(try await LedgerBinary.run("migrate", "up", environment: environment).status == 0)
        let server = try await LedgerServer(scratch.data, environment: environment)
        try await server.get("/health/ready", until: #"{"countryISO":"PE","answers":true}"#)
        try cluster.signalAll(SIGSTOP)
        defer { try? cluster.signalAll(SIGCONT) }
        let port = server.port
        func get(_ target: String) async throws -> Answer {
            // Far more than it takes, and less than the database's own patience.
            try #require(
                try await onThread {
                    let client = try RawClient(port: port, timeoutSeconds: 4)
                    client.send(request("GET \(target)"))
                    return client.answer()
                }, "\(target) waits for the database")
        }
        var ready = try await get("/health/ready")
        while !ready.text.contains(#""answers":false,"silentSeconds":2"#) {
            #expect(ready.status == 200)
            _ = try await get("/metrics")
            try await Task.sleep(for: .milliseconds(50))
            ready = try await get("/health/ready")
        }
        #expect(ready.status == 200)
        #expect(try await get("/metrics").text.contains(#"ledger_country_up{country="PE"} 0"#))
        #expect(try await server.ask(insured: 7, schedule: 100)?.status == 201)
        try cluster.signalAll(SIGCONT)
        try await server.get("/health/ready", until: #"{"countryISO":"PE","answers":true}"#)
        try await server.stop()
        try await cluster.remove()
    }
}

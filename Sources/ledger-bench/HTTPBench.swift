import Appointments
import Foundation
import HostSystem
import PostgresEngine

/// Measures the API: a server of the `ledger` program on a new ledger, and the load next to it on the same machine.
struct HTTPBench {
    let directory: String
    let requests: Int
    let clients: Int
    /// The URL of the database that holds the countries' slots; without it they are in the ledger's own file.
    let countries: String?

    /// Durable POSTs while the pipeline works on them, then GETs of a person's list once it has ended them all.
    func run() async throws {
        if let countries { try await fill(countries) }
        let server = try BenchServer(directory: directory + "/http", countries: countries)
        defer { server.stop() }
        let load = HTTPLoad(port: server.port, connections: clients)
        let posts = try load.run("http-post", count: requests, status: "201") { index in
            let insured = Self.insured(index)
            let body = "{\"insuredId\":\"\(insured)\",\"scheduleId\":\(index % 500 + 1),\"countryISO\":\"PE\"}"
            return Array(
                """
                POST /appointments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r
                Content-Length: \(body.utf8.count)\r\n\r\n\(body)
                """.utf8)
        }
        posts.report()
        let drained = ContinuousClock().now
        try waitUntilAllEnded(load)
        let seconds = Double(Measurement.nanoseconds(ContinuousClock().now - drained)) / 1e9
        report("the pipeline ended what was left in \(Int(seconds.rounded(.up))) s")
        try load.run("http-get", count: requests, status: "200") { index in
            Array("GET /appointments/\(Self.insured(index)) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        }.report()
    }

    private func fill(_ url: String) async throws {
        let pool = PostgresPool(try PostgresSettings(url: url), random: System.number)
        for country in Country.allCases {
            try await PostgresCountryDatabase(pool, country).add(DemoSlots.make(country, from: System.now()))
        }
        await pool.close()
    }

    private static func insured(_ index: Int) -> String { String(String(100_000 + index * 7919 % 100_000).suffix(5)) }

    private func waitUntilAllEnded(_ load: HTTPLoad) throws {
        let check = HTTPLoad(port: load.port, connections: 1)
        let path = "/appointments?status=pending&limit=1"
        for _ in 0..<1200 {
            var isEmpty = false
            _ = try check.run("check", count: 1, status: "200") { _ in
                Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
            } seen: {
                isEmpty = String(decoding: $0, as: UTF8.self).contains("\"appointments\":[]")
            }
            if isEmpty { return }
            Thread.sleep(forTimeInterval: 0.25)
        }
        throw BenchError("the pipeline did not end all requests within five minutes")
    }
}

/// A server process of the `ledger` program, for one measurement.
private final class BenchServer {
    let port: Int
    private let process = Process()

    init(directory: String, countries: String?) throws {
        // What is measured books slots, so it never does in a database that this shell happens to name.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("RDS_") }
            .merging(countries.map { ["RDS_URL": $0] } ?? [:]) { $1 }
        // It was built next to this program.
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("ledger")
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw BenchError("there is no server at \(program.path): build `ledger` as well")
        }
        process.executableURL = program
        process.arguments = ["serve", "--port", "0", "--data", directory, "--log-level", "info"]
        let log = Pipe()
        process.standardError = log
        try process.run()
        var text = ""
        while true {
            let chunk = log.fileHandleForReading.availableData
            if chunk.isEmpty { throw BenchError("the server did not start: \(text)") }
            text += String(decoding: chunk, as: UTF8.self)
            if let mark = text.range(of: "listening on 127.0.0.1:"),
                let port = Int(text[mark.upperBound...].prefix { $0.isNumber })
            {
                self.port = port
                break
            }
        }
        // What the server logs later is read, so that it never waits for a full pipe.
        log.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}

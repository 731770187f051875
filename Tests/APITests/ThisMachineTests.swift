import API
import EventStore
import HostSystem
import Logging
import MemoryEngine
import RawHTTP
import Synchronization
import Testing

/// Whom a ledger without API keys takes for its owner.
@Suite struct ThisMachineTests {
    private static let own = [("Host", "127.0.0.1:8080")]

    private func post(
        _ world: World, _ headers: [(String, String)], from address: String = "127.0.0.1"
    ) async throws -> Answer {
        try await world.send("POST", "/appointments", body: World.request, headers: headers, from: address)
    }

    @Test(
        "without keys a request that was passed on is not of this machine, and is told what to do",
        arguments: [
            ("Forwarded", "for=127.0.0.1"), ("forwarded", ""), ("X-Forwarded-For", "127.0.0.1"),
            ("x-forwarded-for", "::1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "127.0.0.1:8080"),
            ("X-Forwarded", "for=127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Via", "1.1 nginx"),
            ("X-Forwarded-Anything", "1"), ("True-Client-IP", "127.0.0.1"), ("CF-Connecting-IP", "127.0.0.1"),
            ("X-Original-Forwarded-For", "127.0.0.1"), ("X-Client-IP", "127.0.0.1"),
        ])
    func forwarded(name: String, value: String) async throws {
        for proxies in [TrustedProxies.none, try TrustedProxies(["127.0.0.1", "::1"])] {
            let world = try World(proxies: proxies)
            for target in ["/audit/events", "/metrics", "/appointments/00123"] {
                let answer = try await world.send("GET", target, headers: Self.own + [(name, value)])
                #expect(answer.status == 401)
                #expect(answer.text.contains("ledger keys create"))
            }
            #expect(try await post(world, Self.own + [(name, value)]).status == 401)
            #expect(try await world.store.head() == 0)
        }
    }

    @Test(
        "without keys no credential is passed over",
        arguments: [
            ("X-API-Key", "ldg_revoked"), ("x-api-key", ""), ("Authorization", "Bearer ldg_revoked"),
            ("Authorization", "Basic bWU6bWU="),
        ])
    func credential(name: String, value: String) async throws {
        let world = try World()
        let answer = try await post(world, Self.own + [(name, value)])
        #expect(answer.status == 401)
        #expect(answer.text.contains("has no API keys"))
        #expect(try await world.store.head() == 0)
    }

    @Test(
        "without keys only the ledger's own pages and programs of this machine are served",
        arguments: [
            (nil, nil, nil, 201), ("127.0.0.1:8080", nil, nil, 201), ("[::1]:8080", nil, nil, 201),
            ("localhost", nil, nil, 201), ("LOCALHOST:8080", nil, nil, 201), ("127.8.9.1", nil, nil, 201),
            ("localhost:8080", "http://localhost:8080", "same-origin", 201), ("localhost:8080", nil, "none", 201),
            ("localhost:8080", "http://LocalHost:8080", nil, 201), ("[::1]:8080", "http://[::1]:8080", nil, 201),
            ("localhost", "http://localhost", nil, 201), ("localhost", "http://localhost:80", nil, 201),
            ("localhost:8080", "http://localhost:8080", "same-site", 201),
            // Pages of other ports, schemes and names.
            ("localhost:8080", "http://localhost:3000", nil, 401), ("localhost:8080", "http://localhost", nil, 401),
            ("localhost:8080", "https://localhost:8080", nil, 401),
            ("localhost:8080", "http://127.0.0.1:8080", nil, 401), (nil, "http://localhost:8080", nil, 401),
            ("localhost:8080", "https://evil.example", nil, 401), ("localhost:8080", "null", nil, 401),
            ("localhost:8080", "", nil, 401),
            // What no browser sends, taken apart strictly.
            ("localhost:8080", "http://evil.example/localhost:8080", nil, 401),
            ("localhost:8080", "http://localhost:8080/", nil, 401),
            ("localhost:8080", "http://localhost:x@evil.example", nil, 401),
            ("localhost:8080", "http://user@localhost:8080", nil, 401),
            ("localhost:8080", "http://[::1].evil.example", nil, 401), ("[::1].evil.example", nil, nil, 401),
            ("localhost:evil", nil, nil, 401), ("localhost:", nil, nil, 401), ("localhost:0", nil, nil, 401),
            ("localhost:99999", nil, nil, 401), ("localhost:8080:80", nil, nil, 401), ("", nil, nil, 401),
            ("localhost:evil.example", nil, nil, 401), ("127.0.0.1.evil", nil, nil, 401), ("127.1", nil, nil, 401),
            ("127.0.0.1.evil.example", nil, nil, 401), ("localhost.evil.example", nil, nil, 401),
            ("evil.example", nil, nil, 401), ("user@localhost", nil, nil, 401), ("[::1", nil, nil, 401),
            ("[::1]8080", nil, nil, 401), ("[127.0.0.1]", nil, nil, 401), ("128.0.0.1", nil, nil, 401),
            ("localhost.", nil, nil, 401), ("127.0.0.1:8080\u{E9}", nil, nil, 401),
            // What the browser itself says.
            ("localhost:8080", nil, "cross-site", 401), ("localhost:8080", nil, "same-site", 401),
            ("localhost:8080", nil, "anything", 401),
            ("localhost:8080", "http://localhost:8080", "cross-site", 401),
        ] as [(String?, String?, String?, Int)])
    func origins(host: String?, origin: String?, site: String?, status: Int) async throws {
        let world = try World()
        let headers = [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", site)].compactMap { name, value in
            value.map { (name, $0) }
        }
        let answer = try await post(world, headers)
        #expect(answer.status == status)
        #expect(try await world.store.head() == (status == 201 ? 1 : 0))
        if status == 401 { #expect(answer.text.contains("ledger keys create")) }
    }

    @Test("with keys neither a proxy's header nor a page's origin matters: the key does")
    func withKeys() async throws {
        let world = try World()
        let key = try await world.key("desk", .intake)
        let headers = [("X-Forwarded-For", "203.0.113.9"), ("Host", "ledger.example"), ("Origin", "https://a.example")]
        let answer = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: key)
        #expect(answer.status == 201)
    }

    @Test("that a request of a proxy is refused is in the log once")
    func warning() async throws {
        let lines = LogLines()
        let world = try World(logger: lines.logger)
        for _ in 0..<5 { #expect(try await post(world, [("Via", "1.1 nginx")]).status == 401) }
        #expect(lines.all.count { $0.contains("came through a proxy was refused") && $0.contains("WARN") } == 1)
    }
}

/// Log lines as they would be written.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in
            JSONLogHandler(service: "test", logLevel: .trace, now: { .init(milliseconds: 0) }) { line in
                self.lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }
    }
}

import API
import EventStore
import HTTPServer
import LogService
import MemoryEngine
import NIOCore
import RawHTTP
import Testing

/// Every error of the interface, over the wire. A code without a case here does not compile.
@Suite struct ErrorTests {
    /// What provokes an error: a world, and what is sent to it, each on a connection of its own.
    private struct Provocation {
        var world: World
        var requests: [[UInt8]]
        var header: String?
    }

    @Test(
        "each error comes with its status and shape, and the next request is answered", arguments: Problem.Code.allCases
    )
    func errors(code: Problem.Code) async throws {
        let provocation = try await Self.provocation(of: code)
        var limits = TransportLimits()
        if code == .requestTimeout { limits.requestDeadline = .milliseconds(500) }
        let stored = try await provocation.world.store.head()
        try await withServer(provocation.world, limits: limits) { port in
            for earlier in provocation.requests.dropLast() { _ = try await exchange(port, earlier) }
            let last = try #require(provocation.requests.last)
            let answer = try #require(try await exchange(port, last))
            #expect(answer.status == code.status)
            #expect(answer.errorCode == code.rawValue)
            #expect(answer.header("Content-Type") == "application/problem+json")
            #expect(try answer.value("status").whole == Int64(code.status))
            #expect(try answer.text("instance") == answer.header("X-Request-Id"))
            #expect(try answer.text("type").hasPrefix("/errors/"))
            if let header = provocation.header { #expect(answer.header(header) != nil) }
            expectCommonHeaders(answer)
            for secret in ["00123", "internals of the store", "/appointments/"] {
                #expect(!answer.text.withoutChance.contains(secret))
            }
            let next = try #require(try await exchange(port, request("GET /health/live")))
            #expect(next.status == 200)
            expectCommonHeaders(next)
        }
        let added = try await provocation.world.store.head() - stored
        #expect(added == (code == .idempotencyKeyReused ? 1 : 0))
    }

    private static func provocation(of code: Problem.Code) async throws -> Provocation {
        let plain = try World()
        switch code {
        case .validation: return Provocation(world: plain, requests: [post(Array("{}".utf8))])
        case .unauthenticated:
            _ = try await plain.key("desk", .intake)
            return Provocation(
                world: plain, requests: [request("GET /appointments/00123")], header: "WWW-Authenticate")
        case .forbidden:
            let key = try await plain.key("desk", .auditor)
            return Provocation(
                world: plain, requests: [request("GET /appointments/00123", headers: "X-API-Key: \(key)\r\n")])
        case .routeNotFound: return Provocation(world: plain, requests: [request("GET /appointment/00123")])
        case .appointmentNotFound:
            return Provocation(world: plain, requests: [request("GET /appointments/00123/\(UUIDs.some)")])
        case .logEmpty: return Provocation(world: plain, requests: [request("GET /ledger/checkpoint")])
        case .notInLog:
            _ = try await plain.ask()
            _ = try await plain.checkpointer.sign()
            return Provocation(world: plain, requests: [request("GET /ledger/tile/0/000")])
        case .methodNotAllowed:
            return Provocation(world: plain, requests: [request("PUT /appointments/00123")], header: "Allow")
        case .requestTimeout:
            return Provocation(world: plain, requests: [Array("GET /appointments/00123 HTT".utf8)])
        case .payloadTooLarge: return Provocation(world: plain, requests: [post(Array(repeating: 0x31, count: 20_000))])
        case .uriTooLong:
            let path = "/appointments/00123" + String(repeating: "0", count: 9000)
            return Provocation(world: plain, requests: [request("GET \(path)")])
        case .unsupportedMediaType:
            return Provocation(
                world: plain,
                requests: [post(Array(World.request.utf8), headers: "Content-Type: application/xml\r\n")])
        case .idempotencyKeyReused:
            let key = "Idempotency-Key: one\r\n"
            return Provocation(
                world: plain, requests: [World.asking(headers: key), World.asking(schedule: 101, headers: key)])
        case .headersTooLarge:
            let fields = (0..<150).map { "X-\($0): 00123\r\n" }.joined()
            return Provocation(world: plain, requests: [request("GET /health/live", headers: fields)])
        case .rateLimitExceeded, .internalError, .storeUnavailable: return try await failure(code)
        }
    }

    private static func failure(_ code: Problem.Code) async throws -> Provocation {
        if code == .rateLimitExceeded {
            let world = try World(limits: RateLimits(perHolder: RateLimit(perSecond: 0.1, burst: 1), perAddress: nil))
            let key = try await world.key("desk", .admin)
            let asking = request("GET /appointments/00123", headers: "X-API-Key: \(key)\r\n")
            return Provocation(world: world, requests: [asking, asking], header: "Retry-After")
        }
        let kind = code == .internalError ? EventStoreError.Code.corrupt : .unavailable
        let world = try World(failing: Failing(error: EventStoreError(kind, message: "internals of the store")))
        return Provocation(
            world: world, requests: [World.asking()], header: code == .storeUnavailable ? "Retry-After" : nil)
    }

    @Test(
        "a path says which methods it answers to",
        arguments: [
            ("PUT", "/appointments", "GET, HEAD, POST, OPTIONS"), ("POST", "/appointments/00123", "GET, HEAD, OPTIONS"),
            ("DELETE", "/audit/events", "GET, HEAD, OPTIONS"), ("POST", "/health/live", "GET, HEAD, OPTIONS"),
        ])
    func allow(method: String, path: String, allowed: String) async throws {
        let answer = try await World().send(method, path)
        #expect(answer.status == 405)
        #expect(answer.header("Allow") == allowed)
    }

    @Test(
        "a path without its parameter is said to lack it",
        arguments: [("/appointments/", "insuredId"), ("/appointments/00123/", "appointmentId")])
    func missingParameter(path: String, field: String) async throws {
        let answer = try await World().send("GET", path)
        #expect(answer.status == 400)
        #expect(answer.codes(field) == ["MISSING_PATH_PARAM"])
    }

    @Test("what is wrong with query, header fields and body is said at once")
    func allParts() async throws {
        let answer = try await World().send(
            "POST", "/appointments?page=1", body: #"{"insuredId":"00123","scheduleId":100}"#,
            headers: [("Idempotency-Key", ""), ("X-Correlation-Id", "a b")])
        #expect(answer.status == 400)
        #expect(answer.codes("page") == ["INVALID_QUERY_PARAM"])
        for field in ["Idempotency-Key", "X-Correlation-Id", "countryISO"] {
            #expect(answer.codes(field) == ["VALIDATION_FAILED"])
        }
        #expect(try answer.value("error", "details", "errorCount").whole == 4)
    }
}

/// The header fields that every answer has, errors included.
func expectCommonHeaders(_ answer: Answer, sourceLocation: SourceLocation = #_sourceLocation) {
    let wanted = [
        ("Access-Control-Allow-Origin", "*"), ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"),
    ]
    for (name, value) in wanted { #expect(answer.header(name) == value, sourceLocation: sourceLocation) }
    for name in ["Content-Security-Policy", "Access-Control-Allow-Headers", "X-Request-Id", "Date", "Content-Length"] {
        #expect(answer.header(name) != nil, "\(name)", sourceLocation: sourceLocation)
    }
}

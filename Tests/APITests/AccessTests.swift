import EventStore
import Handlers
import RawHTTP
import Testing

/// Who may do what, and what they are shown.
@Suite struct AccessTests {
    private static let routes: [(method: String, target: String, roles: [Role])] = [
        ("POST", "/appointments", [.intake, .admin]),
        ("GET", "/appointments?status=pending", [.operator, .admin]),
        ("GET", "/appointments/00123", [.intake, .operator, .admin]),
        ("GET", "/appointments/00123/\(UUIDs.some)", [.intake, .operator, .admin]),
        ("GET", "/appointments/00123/\(UUIDs.some)/events", [.auditor, .admin]),
        ("GET", "/audit/events", [.auditor, .admin]),
    ]

    @Test("a role may use its routes and no other", arguments: Role.allCases)
    func roles(role: Role) async throws {
        let world = try World()
        let key = try await world.key("caller", role)
        for route in Self.routes {
            let answer = try await world.send(
                route.method, route.target, body: route.method == "POST" ? World.request : "", key: key)
            #expect((answer.status == 403) == !route.roles.contains(role), "\(route.method) \(route.target)")
            if answer.status == 403 { #expect(answer.errorCode == "FORBIDDEN") }
        }
    }

    @Test("once there is a key, a request without one is 401 with how to send one")
    func withoutKey() async throws {
        let world = try World()
        #expect(try await world.send("GET", "/appointments/00123").status == 200)
        _ = try await world.key("front-desk", .intake)
        world.clock.advance(milliseconds: 5000)
        for target in ["/appointments/00123", "/audit/events"] {
            let answer = try await world.send("GET", target)
            #expect(answer.status == 401)
            #expect(answer.errorCode == "UNAUTHENTICATED")
            #expect(answer.header("WWW-Authenticate") != nil)
        }
        #expect(try await world.send("GET", "/health/live").status == 200)
        #expect(try await world.send("GET", "/openapi.yaml").status == 200)
        #expect(try await world.send("GET", "/appointments/00123", key: "wrong").status == 401)
    }

    @Test("a revoked key ends within seconds")
    func revoked() async throws {
        let world = try World()
        let key = try await world.key("front-desk", .intake)
        #expect(try await world.send("GET", "/appointments/00123", key: key).status == 200)
        #expect(try await world.keys.revoke("front-desk", at: world.clock.now))
        world.clock.advance(milliseconds: 3000)
        #expect(try await world.send("GET", "/appointments/00123", key: key).status == 401)
    }

    @Test("events name the key as their actor, and an auditor sees no person")
    func auditor() async throws {
        let world = try World()
        let intake = try await world.key("front-desk", .intake)
        let auditor = try await world.key("auditor", .auditor)
        let asked = try await world.send("POST", "/appointments", body: World.request, key: intake)
        #expect(asked.status == 201)
        let page = try await world.send("GET", "/audit/events", key: auditor)
        #expect(page.text.contains(#""actor":"key:front-desk""#))
        #expect(page.text.contains(#""insuredId":"***23""#))
        #expect(!page.text.withoutChance.contains("00123"))
        let lines = try await world.send(
            "GET", "/audit/events", headers: [("Accept", "application/x-ndjson")], key: auditor)
        #expect(lines.header("Content-Type") == "application/x-ndjson")
        #expect(lines.text.split(separator: "\n").count == 1)
    }

    @Test("too many requests with one key are 429 with Retry-After; others go on")
    func rateLimit() async throws {
        let world = try World(
            limits: RateLimits(perKey: RateLimit(perSecond: 1, burst: 3), perAddress: nil))
        let key = try await world.key("busy", .admin)
        let other = try await world.key("calm", .admin)
        var statuses: [Int] = []
        for _ in 0..<5 { statuses.append(try await world.send("GET", "/appointments/00123", key: key).status) }
        #expect(statuses == [200, 200, 200, 429, 429])
        let refused = try await world.send("GET", "/appointments/00123", key: key)
        #expect(refused.errorCode == "RATE_LIMIT_EXCEEDED")
        #expect(refused.header("Retry-After") == "1")
        #expect(try await world.send("GET", "/appointments/00123", key: other).status == 200)
        world.clock.advance(milliseconds: 1000)
        #expect(try await world.send("GET", "/appointments/00123", key: key).status == 200)
    }

    @Test("one key's idempotency keys are not another's")
    func idempotencyScope() async throws {
        let world = try World()
        let (one, two) = (try await world.key("one", .intake), try await world.key("two", .intake))
        let headers = [("Idempotency-Key", "same")]
        let first = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: one)
        let second = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: two)
        #expect(try first.text("appointmentId") != second.text("appointmentId"))
        let again = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: one)
        #expect(again.status == 201)
        #expect(again.header("Idempotent-Replayed") == "true")
        #expect(again.body == first.body)
    }

    @Test("a key is not looked up for an address that has used up its requests")
    func guessing() async throws {
        let world = try World(limits: RateLimits(perKey: nil, perAddress: RateLimit(perSecond: 1, burst: 3)))
        let key = try await world.key("desk", .intake)
        var statuses: [Int] = []
        for guess in 0..<4 {
            statuses.append(
                try await world.send("GET", "/appointments/00123", key: "g\(guess)", from: "10.0.0.7").status)
        }
        #expect(statuses == [401, 401, 401, 429])
        let right = try await world.send("GET", "/appointments/00123", key: key, from: "10.0.0.7")
        #expect(right.status == 429)
        #expect(right.header("Retry-After") == "1")
        #expect(world.keys.lookUps == 3)
        #expect(try await world.send("GET", "/appointments/00123", key: key, from: "10.0.0.8").status == 200)
    }

    @Test(
        "without keys a web page of another origin, or under another name, may do nothing",
        arguments: [
            ("Origin", "https://evil.example", 401), ("Origin", "null", 401), ("Host", "evil.example", 401),
            ("Host", "127.0.0.1.evil.example", 401), ("Origin", "http://localhost:3000", 201),
            ("Host", "127.0.0.1:8080", 201), ("Host", "[::1]:8080", 201),
        ])
    func otherOrigin(name: String, value: String, status: Int) async throws {
        let world = try World()
        let answer = try await world.send("POST", "/appointments", body: World.request, headers: [(name, value)])
        #expect(answer.status == status)
        #expect(try await world.store.head() == (status == 201 ? 1 : 0))
    }

    @Test("metrics are open on this machine alone; elsewhere an operator reads them")
    func metrics() async throws {
        let world = try World()
        let (reader, other) = (try await world.key("ops", .operator), try await world.key("desk", .intake))
        #expect(try await world.send("GET", "/metrics").status == 200)
        #expect(try await world.send("GET", "/metrics", from: "10.0.0.7").status == 401)
        #expect(try await world.send("GET", "/metrics", key: other, from: "10.0.0.7").status == 403)
        #expect(try await world.send("GET", "/metrics", key: reader, from: "10.0.0.7").status == 200)
    }
}

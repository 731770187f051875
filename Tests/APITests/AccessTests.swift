import API
import EventStore
import MemoryEngine
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
        ("GET", "/audit/events", [.auditor, .admin]), ("GET", "/ledger/checkpoint", Role.allCases),
        ("GET", "/ledger/key", Role.allCases), ("GET", "/ledger/tile/0/000.p/1", Role.allCases),
        ("GET", "/ledger/tile/entries/000.p/1", Role.allCases),
        ("GET", "/ledger/proof/\(UUIDs.some)/1", Role.allCases),
        ("GET", "/ledger/history/\(UUIDs.some)", Role.allCases),
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
        world.clock.advance(milliseconds: 1000)
        for target in ["/appointments/00123", "/audit/events", "/ledger/checkpoint", "/ledger/key"] {
            let answer = try await world.send("GET", target)
            #expect(answer.status == 401)
            #expect(answer.errorCode == "UNAUTHENTICATED")
            #expect(answer.header("WWW-Authenticate") != nil)
        }
        #expect(try await world.send("GET", "/health/live").status == 200)
        #expect(try await world.send("GET", "/openapi.yaml").status == 200)
        #expect(try await world.send("GET", "/appointments/00123", key: "wrong").status == 401)
    }

    @Test("a revoked key ends within a second, whatever the wall clock does", arguments: [0, 7_200_000, -7_200_000])
    func revoked(step: Int64) async throws {
        let world = try World()
        let key = try await world.key("front-desk", .intake)
        world.clock.set(by: step)
        #expect(try await world.send("GET", "/appointments/00123", key: key).status == 200)
        world.clock.set(by: -step)
        let records = try await world.keys.carryOut(
            .revoke(name: "front-desk", .all), by: "tests", at: world.clock.now)
        #expect(records.count == 1)
        world.clock.advance(milliseconds: 1000)
        #expect(try await world.send("GET", "/appointments/00123", key: key).status == 401)
        #expect(try await world.send("POST", "/appointments", body: World.request, key: key).status == 401)
        #expect(try await world.store.head() == 0)
    }

    @Test("the first key that is made counts within a second, whatever the wall clock does", arguments: [0, 7_200_000])
    func firstKey(step: Int64) async throws {
        let world = try World()
        world.clock.set(by: step)
        #expect(try await world.send("GET", "/appointments/00123").status == 200)
        world.clock.set(by: -step)
        _ = try await world.key("front-desk", .intake)
        world.clock.advance(milliseconds: 1000)
        #expect(try await world.send("GET", "/appointments/00123").status == 401)
        #expect(try await world.send("GET", "/metrics").status == 401)
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
            limits: RateLimits(perHolder: RateLimit(perSecond: 1, burst: 3), perAddress: nil))
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

    @Test("an idempotency key is the holder's, whichever of its secrets it comes with")
    func rotation() async throws {
        let world = try World()
        let first = try await world.key("desk", .intake)
        let headers = [("Idempotency-Key", "same")]
        let asked = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: first)
        let rotate = KeyCommand.rotate(name: "desk", digest: Hash(of: Array("second".utf8)))
        _ = try await world.keys.carryOut(rotate, by: "tests", at: world.clock.now)
        let again = try await world.send("POST", "/appointments", body: World.request, headers: headers, key: "second")
        #expect(again.status == 201 && again.body == asked.body)
        #expect(again.header("Idempotent-Replayed") == "true")
        #expect(try await world.store.head() == 1)
    }

    @Test("wrong keys use up a limit of their own: those with a valid key go on behind the same address")
    func guessing() async throws {
        let world = try World(limits: RateLimits(wrongKeys: RateLimit(perSecond: 0.1, burst: 3)))
        let (key, other) = (try await world.key("desk", .intake), try await world.key("other", .intake))
        func get(_ key: String?, from address: String = "10.0.0.7") async throws -> Answer {
            try await world.send("GET", "/appointments/00123", key: key, from: address)
        }
        #expect(try await get(key).status == 200)
        var statuses: [Int] = []
        for guess in 0..<5 { statuses.append(try await get("g\(guess)").status) }
        #expect(statuses == [401, 401, 401, 429, 429])
        #expect(world.keys.lookUps == 4)
        // It is looked up again, since it was right before.
        for _ in 0..<3 {
            world.clock.advance(milliseconds: 600)
            #expect(try await get("wrong").header("Retry-After") != nil)
            #expect(try await get(key).status == 200)
        }
        // One that was never seen has to wait, as every guess would.
        #expect(try await get(other).status == 429)
        #expect(try await get(other, from: "10.0.0.8").status == 200)
        #expect(try await get(nil).status == 401)
        world.clock.advance(milliseconds: 30_000)
        // What is right costs nothing of it.
        for _ in 0..<10 { #expect(try await get(other).status == 200) }
    }

    @Test("without a key an address has a limit on open routes, paths that are none, and refusals")
    func openRoutes() async throws {
        let world = try World(limits: RateLimits(perAddress: RateLimit(perSecond: 1, burst: 1)))
        let key = try await world.key("desk", .intake)
        let requests = [
            ("GET", "/openapi.yaml"), ("GET", "/nothing"), ("DELETE", "/appointments"), ("OPTIONS", "/appointments"),
            ("GET", "/appointments/00123"), ("GET", "/metrics"),
        ]
        for (number, (method, target)) in requests.enumerated() {
            let address = "10.0.0.\(number)"
            #expect(try await world.send("GET", "/health/live", from: address).status == 200)
            #expect(try await world.send(method, target, from: address).status != 429, "\(method) \(target)")
            #expect(try await world.send(method, target, from: address).status == 429, "\(method) \(target)")
            // Probes are counted apart, and those with a key by their holder.
            #expect(try await world.send("GET", "/health/live", from: address).status == 429)
            #expect(try await world.send("GET", "/appointments/00123", key: key, from: address).status == 200)
        }
        world.clock.advance(milliseconds: 1000)
        #expect(try await world.send("GET", "/health/live", from: "10.0.0.1").status == 200)
        #expect(try await world.send("GET", "/nothing", from: "10.0.0.1").status == 404)
    }

    @Test(
        "a /64 of IPv6 is one source, and each address of IPv4",
        arguments: [
            ("2001:db8::1", "2001:db8::ffff:2", true), ("2001:db8::1", "2001:db8:0:1::1", false),
            ("10.0.0.1", "10.0.0.2", false), ("10.0.0.1", "::ffff:10.0.0.1", true),
        ])
    func networks(first: String, second: String, isOne: Bool) async throws {
        let world = try World(limits: RateLimits(perAddress: RateLimit(perSecond: 1, burst: 1)))
        #expect(try await world.send("GET", "/nothing", from: first).status == 404)
        #expect(try await world.send("GET", "/nothing", from: second).status == (isOne ? 429 : 404))
    }

    @Test("metrics need the role operator, from this machine too; a page of no named origin may read them")
    func metrics() async throws {
        let world = try World(origins: AllowedOrigins("*"))
        #expect(try await world.send("GET", "/metrics").status == 200)
        #expect(try await world.send("GET", "/metrics", headers: [("X-Forwarded-For", "203.0.113.9")]).status == 401)
        #expect(try await world.send("GET", "/metrics", headers: [("Host", "evil.example")]).status == 401)
        #expect(try await world.send("GET", "/metrics").header("Access-Control-Allow-Origin") == nil)
        let (reader, other) = (try await world.key("ops", .operator), try await world.key("desk", .intake))
        world.clock.advance(milliseconds: 1000)
        for address in ["127.0.0.1", "10.0.0.7"] {
            #expect(try await world.send("GET", "/metrics", from: address).status == 401)
            #expect(try await world.send("GET", "/metrics", key: other, from: address).status == 403)
            #expect(try await world.send("GET", "/metrics", key: reader, from: address).status == 200)
        }
        let named = try World(origins: AllowedOrigins("https://ops.example"))
        let headers = [("Origin", "https://ops.example")]
        let answer = try await named.send("GET", "/metrics", headers: headers, from: "10.0.0.7")
        #expect(answer.header("Access-Control-Allow-Origin") == "https://ops.example")
    }
}

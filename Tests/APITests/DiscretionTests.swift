import EventStore
import HostSystem
import Logging
import MemoryEngine
import RawHTTP
import Synchronization
import Testing

/// Nobody's number leaves the answers that are meant to hold it; correlations and reasons do get out.
@Suite struct DiscretionTests {
    /// Log lines as they would be written.
    private final class Lines: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }

        func logger(_ now: @escaping @Sendable () -> Timestamp) -> Logger {
            Logger(label: "test") { _ in
                JSONLogHandler(service: "test", logLevel: .trace, now: now) { line in
                    self.bytes.withLock { $0 += line }
                }
            }
        }
    }

    private static let person = "48151"

    /// Requests that carry the person's number in every place where a caller could put it.
    private static let careless: [[UInt8]] = [
        request("GET /appointments/\(person)?limit=x"), request("GET /appointments/\(person)?\(person)=1"),
        request("GET /appointments/x\(person)"), request("GET /appointments/00001/\(person)"),
        request("GET /appointments?status=\(person)"), request("GET /audit/events?insuredId=x\(person)"),
        request("GET /audit/events?actor=\(person)%20"), request("GET /\(person)"),
        request("DELETE /appointments/\(person)"), request("GET /appointments/00001/\(person)/events"),
        request("GET /appointments/\(person)/\(UUIDs.some)"),
        request("GET /appointments/\(person)", headers: "X-Correlation-Id: \(person)!\r\n"),
        request("GET /appointments/\(person)", headers: "X-A: \u{1}\(person)\r\n"),
        post(Array(#"{"insuredId":\#(person)}"#.utf8)), post(Array(#"{"\#(person)":1}"#.utf8)),
        post(Array(#"{"insuredId":"\#(person)","insuredId":"\#(person)"}"#.utf8)),
        post(Array(#"{"insuredId":"\#(person)""#.utf8)),
        World.asking(insured: person, headers: "Idempotency-Key: \(person) \(person)\r\n"),
        post(Array(#"{"insuredId":"\#(person)"}"#.utf8), headers: "Content-Type: text/\(person)\r\n"),
    ]

    @Test("no error, log line, metric, entry or message holds a person's whole number")
    func canary() async throws {
        let lines = Lines()
        let world = try World(logger: lines.logger { Timestamp("2026-11-24T07:10:53.123Z")! })
        try await withServer(world) { port in
            let asking = World.asking(insured: Self.person, headers: "Idempotency-Key: one\r\n")
            let first = try #require(try await exchange(port, asking))
            #expect(first.status == 201)
            try await world.complete(try first.text("appointmentId"))
            #expect(try await exchange(port, request("GET /appointments/\(Self.person)"))?.status == 200)
            for bytes in Self.careless + [World.asking(schedule: 7, headers: "Idempotency-Key: one\r\n")] {
                let answer = try #require(try await exchange(port, bytes))
                #expect(answer.status >= 400)
                #expect(!answer.text.withoutChance.contains(Self.person), "\(answer.text)")
                for (name, value) in answer.headers { #expect(!value.withoutChance.contains(Self.person), "\(name)") }
            }
            let metrics = try #require(try await exchange(port, request("GET /metrics")))
            #expect(metrics.text.contains("ledger_http_requests_total"))
            #expect(!metrics.text.withoutChance.contains(Self.person))
        }
        for event in world.store.eventsNow(after: 0, limit: 100) {
            #expect(!String(decoding: event.entry.bytes, as: UTF8.self).withoutChance.contains(Self.person))
        }
        #expect(lines.text.contains(#""message":"answered""#))
        #expect(!lines.text.withoutChance.contains(Self.person))
    }

    @Test("a failure of the store is in the log by its request, and names nobody")
    func failureLogged() async throws {
        let lines = Lines()
        let world = try World(failing: Failing(), logger: lines.logger { Timestamp("2026-11-24T07:10:53.123Z")! })
        let body = #"{"insuredId":"\#(Self.person)","scheduleId":100,"countryISO":"PE"}"#
        #expect(try await world.send("POST", "/appointments", body: body).status == 503)
        #expect(lines.text.contains("the disk is gone"))
        #expect(lines.text.contains(#""requestId":"request-1""#))
        #expect(!lines.text.withoutChance.contains(Self.person))
    }

    @Test("the correlation comes back with errors too, and a wrong one is refused")
    func correlation() async throws {
        let world = try World()
        let headers = [("X-Correlation-Id", "visit-7")]
        for (method, target) in [("GET", "/nothing"), ("POST", "/appointments"), ("GET", "/appointments/1")] {
            let answer = try await world.send(method, target, headers: headers)
            #expect(answer.status >= 400)
            #expect(answer.header("X-Correlation-Id") == "visit-7")
        }
        for wrong in ["", "a b", "ñ", String(repeating: "a", count: 129)] {
            for (method, target) in [("POST", "/appointments"), ("GET", "/appointments/00123")] {
                let answer = try await world.send(
                    method, target, body: method == "POST" ? World.request : "", headers: [("X-Correlation-Id", wrong)])
                #expect(answer.codes("X-Correlation-Id") == ["VALIDATION_FAILED"])
                #expect(answer.header("X-Correlation-Id") == nil)
            }
        }
        #expect(try await world.store.head() == 0)
    }

    @Test("a correlation that may hold a person's number is refused before anything is stored, and not repeated")
    func correlationOfPerson() async throws {
        let world = try World()
        for wrong in ["dni-\(Self.person)", Self.person, "a\(Self.person)b", "1.\(Self.person)_2026"] {
            for (method, target) in [("POST", "/appointments"), ("GET", "/appointments/00123")] {
                let answer = try await world.send(
                    method, target, body: method == "POST" ? World.request : "", headers: [("X-Correlation-Id", wrong)])
                #expect(answer.codes("X-Correlation-Id") == ["VALIDATION_FAILED"])
                #expect(answer.header("X-Correlation-Id") == nil && !answer.text.contains(Self.person))
            }
        }
        #expect(try await world.store.head() == 0)
    }

    @Test("a correlation that was made at random is taken, whatever digits it holds")
    func randomCorrelation() async throws {
        let world = try World()
        let trace = "4bf92f3577b34da6a3ce929d0e70123a"
        for (name, value, expected) in [
            ("X-Correlation-Id", "a12345bc-7f19-7b9d-981d-8314088a3df2", "a12345bc-7f19-7b9d-981d-8314088a3df2"),
            ("traceparent", "00-\(trace)-00f067aa0b70123c-01", trace),
        ] {
            let answer = try await world.send("POST", "/appointments", body: World.request, headers: [(name, value)])
            #expect(answer.status == 201)
            #expect(answer.header("X-Correlation-Id") == expected)
        }
    }

    @Test("one correlation ties all events of a request together, whoever appends them")
    func correlationOfAll() async throws {
        let world = try World()
        let asked = try await world.send("POST", "/appointments", body: World.request)
        try await world.complete(try asked.text("appointmentId"))
        let events = world.store.eventsNow(after: 0, limit: 100)
        #expect(events.count == 4)
        #expect(Set(events.map(\.entry.correlation)) == [try #require(asked.header("X-Correlation-Id"))])
    }

    @Test("a projection that stands still makes the ledger not ready, and the answer says which")
    func notReady() async throws {
        let world = try World()
        try await withServer(world) { port in
            #expect(try await exchange(port, World.asking())?.status == 201)
            #expect(try await exchange(port, request("GET /health/ready"))?.status == 200)
            world.clock.advance(milliseconds: 30_000)
            let answer = try #require(try await exchange(port, request("GET /health/ready")))
            #expect(answer.status == 503)
            #expect(answer.errorCode == "STORE_UNAVAILABLE")
            #expect(answer.header("Retry-After") == "1")
            guard case .array(let reasons) = try answer.value("reasons") else {
                return #expect(Bool(false), "no reasons")
            }
            #expect(reasons.compactMap(\.text).contains { $0.contains("stands still at position 0, 1 events behind") })
            #expect(try await exchange(port, request("GET /health/live"))?.status == 200)
            try await world.catchUp()
            #expect(try await exchange(port, request("GET /health/ready"))?.status == 200)
        }
    }
}

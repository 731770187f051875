import EventStore
import MemoryEngine
import RawHTTP
import Testing

/// What good requests are answered.
@Suite struct AnswerTests {
    @Test("POST is answered with the request, pending, where it will be found, and the caller's correlation")
    func created() async throws {
        let world = try World()
        let answer = try await world.send(
            "POST", "/appointments", body: World.request, headers: [("X-Correlation-Id", "visit-7")])
        #expect(answer.status == 201)
        let id = try answer.text("appointmentId")
        #expect(
            answer.text
                == #"""
                {"appointmentId":"\#(id)","message":"Appointment scheduling is in process","status":"pending",\#
                "insuredId":"00123","scheduleId":100,"countryISO":"PE","createdAt":"2026-11-24T07:10:53.123Z"}
                """#
        )
        #expect(answer.header("Location") == "/appointments/00123/\(id)")
        #expect(answer.header("X-Correlation-Id") == "visit-7")
        #expect(world.store.eventsNow(after: 0, limit: 1).first?.entry.correlation == "visit-7")
    }

    @Test("a traceparent's trace id is the correlation of every event that follows")
    func traceparent() async throws {
        let world = try World()
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        _ = try await world.send(
            "POST", "/appointments", body: World.request, headers: [("traceparent", "00-\(trace)-00f067aa0ba902b7-01")])
        #expect(world.store.eventsNow(after: 0, limit: 1).first?.entry.correlation == trace)
    }

    @Test("a person's list is newest first, with the arithmetic of its pages")
    func personList() async throws {
        let world = try World()
        var ids: [String] = []
        for schedule in 1...5 {
            ids.append(try await world.ask(schedule: schedule))
            world.clock.advance(milliseconds: 1000)
        }
        _ = try await world.ask(insured: "00124")
        let page = try await world.send("GET", "/appointments/00123?limit=2&offset=2")
        guard case .array(let rows) = try page.value("appointments") else { return #expect(Bool(false), "no list") }
        #expect(rows.compactMap { $0["appointmentId"]?.text } == [ids[2], ids[1]])
        let pagination = try page.value("pagination")
        #expect(
            String(decoding: pagination.bytes, as: UTF8.self)
                == #"{"count":2,"total":5,"limit":2,"offset":2,"hasMore":true,"totalPages":3,"currentPage":2}"#)
        #expect(try page.value("meta", "totalAvailable").whole == 5)
        let unknown = try await world.send("GET", "/appointments/99999")
        #expect(unknown.status == 200)
        #expect(try unknown.value("pagination", "total").whole == 0)
    }

    @Test("a completed appointment shows its slot, and its past shows what it was")
    func past() async throws {
        let world = try World()
        let id = try await world.ask()
        try await world.complete(id)
        let now = try await world.send("GET", "/appointments/00123/\(id)")
        #expect(try now.text("status") == "completed")
        #expect(try now.value("schedule", "centerId").whole == 4)
        let before = try await world.send("GET", "/appointments/00123/\(id)?version=2")
        #expect(try before.text("status") == "pending")
        #expect(try before.value("version").whole == 2)
        let atFirst = try await world.send("GET", "/appointments/00123/\(id)?asOf=2026-11-24T07:10:53.123Z")
        #expect(try atFirst.value("version").whole == 1)
        #expect(try await world.send("GET", "/appointments/00123/\(id)?asOf=2020-01-01T00:00:00Z").status == 404)
        #expect(try await world.send("GET", "/appointments/00124/\(id)").status == 404)
        let history = try await world.send("GET", "/appointments/00123/\(id)/events")
        guard case .array(let events) = try history.value("events") else { return #expect(Bool(false), "no events") }
        #expect(events.compactMap { $0["type"]?.text } == ["requested", "routed", "country-processed", "completed"])
        for (event, next) in zip(events, events.dropFirst()) { #expect(event["leaf"]?.text == next["previous"]?.text) }
        let scheduled = try await world.send("GET", "/appointments/00123?status=completed")
        #expect(try scheduled.value("meta", "totalFiltered").whole == 1)
        #expect(try await world.send("GET", "/appointments/00123?status=scheduled").status == 200)
    }

    @Test("the cursor leads through all rows once, and serves only the list that made it")
    func cursor() async throws {
        let world = try World()
        for schedule in 1...25 { _ = try await world.ask(insured: String(10_000 + schedule), schedule: schedule) }
        var seen: [String] = []
        var target = "/appointments?countryISO=PE&limit=10"
        var pages = 0
        while true {
            let page = try await world.send("GET", target)
            guard case .array(let rows) = try page.value("appointments") else { break }
            seen += rows.compactMap { $0["appointmentId"]?.text }
            pages += 1
            guard let cursor = try page.value("pagination", "nextCursor").text else { break }
            target = "/appointments?countryISO=PE&limit=10&cursor=\(cursor)"
            let other = try await world.send("GET", "/appointments?countryISO=CL&limit=10&cursor=\(cursor)")
            #expect(other.status == 400)
        }
        #expect(pages == 3)
        #expect(Set(seen).count == 25)
    }

    @Test("OPTIONS is 200 with CORS headers, on every path", arguments: ["/appointments", "/anything"])
    func options(path: String) async throws {
        let answer = try await World().send("OPTIONS", path)
        #expect(answer.header("Access-Control-Max-Age") == "600")
        #expect(answer.header("Allow") == (path == "/anything" ? nil : "GET, HEAD, POST, OPTIONS"))
        #expect(answer.status == 200)
        #expect(answer.header("Access-Control-Allow-Methods")?.contains("POST") == true)
    }

    @Test("a store that does not answer is 503 with Retry-After, never an empty list")
    func unavailable() async throws {
        let world = try World(failing: Failing(), views: Failing())
        for (method, target) in [
            ("POST", "/appointments"), ("GET", "/appointments/00123"), ("GET", "/appointments?status=failed"),
        ] {
            let answer = try await world.send(method, target, body: method == "POST" ? World.request : "")
            #expect(answer.status == 503)
            #expect(answer.errorCode == "STORE_UNAVAILABLE")
            #expect(answer.header("Retry-After") != nil)
            #expect(!answer.text.contains("disk"))
        }
    }

    @Test("health says ready, metrics count requests, and neither names a person")
    func operations() async throws {
        let world = try World()
        _ = try await world.ask()
        #expect(try await world.send("GET", "/health/ready").status == 200)
        let metrics = try await world.send("GET", "/metrics")
        #expect(metrics.header("Content-Type")?.hasPrefix("text/plain; version=0.0.4") == true)
        #expect(metrics.text.contains("POST /appointments"))
        #expect(!metrics.text.withoutChance.contains("00123"))
    }
}

import EventStore
import Handlers
import RawHTTP
import Testing

/// What auditors ask.
@Suite struct AuditTests {
    /// Two appointments of two persons: the first was completed, the second one waits.
    private func world() async throws -> (World, completed: String, waiting: String) {
        let world = try World()
        let asked = try await world.send(
            "POST", "/appointments", body: World.request, headers: [("X-Correlation-Id", "visit-7")])
        let completed = try asked.text("appointmentId")
        try await world.complete(completed)
        world.clock.advance(milliseconds: 1000)
        return (world, completed, try await world.ask(insured: "00124", schedule: 1001, country: "CL"))
    }

    private func positions(_ answer: Answer) throws -> [Int64?] {
        guard case .array(let events) = try answer.value("events") else { return [] }
        return events.map { $0["position"]?.whole }
    }

    @Test("each filter selects its events, and all hold together")
    func filters() async throws {
        let (world, completed, waiting) = try await world()
        let cases: [(String, [Int64?])] = [
            ("", [1, 2, 3, 4, 5]), ("type=requested", [1, 5]), ("type=completed", [4]), ("countryISO=CL", [5]),
            ("appointmentId=\(completed)", [1, 2, 3, 4]), ("insuredId=00124", [5]), ("insuredId=99999", []),
            ("correlationId=visit-7", [1, 2, 3, 4]), ("actor=anonymous", [1, 5]), ("after=3", [4, 5]),
            ("from=2026-11-24T07:10:57.123Z", [5]), ("to=2026-11-24T07:10:53.123Z", [1]),
            ("type=requested&countryISO=PE", [1]), ("insuredId=00123&appointmentId=\(waiting)", []), ("after=5", []),
        ]
        for (query, wanted) in cases {
            let answer = try await world.send("GET", "/audit/events?\(query)")
            #expect(try positions(answer) == wanted, "\(query)")
        }
    }

    @Test("what a database refuses is no mistake of who asks")
    func refused() async throws {
        let world = try World(views: Failing(error: EventStoreError(.invalid, message: "a table is not there")))
        let answer = try await world.send("GET", "/audit/events?insuredId=00123")
        #expect(answer.status == 500 && !answer.text.contains("too many"), "\(answer.text)")
    }

    @Test("pages follow each other by position, as JSON and as lines")
    func pages() async throws {
        let (world, _, _) = try await world()
        var after: Int64 = 0
        var seen: [Int64?] = []
        for wanted in [2, 2, 1] {
            let target = "/audit/events?limit=2&after=\(after)"
            let page = try await world.send("GET", target)
            let lines = try await world.send("GET", target, headers: [("Accept", "application/x-ndjson")])
            guard case .array(let events) = try page.value("events") else { return #expect(Bool(false), "no events") }
            #expect(events.count == wanted)
            let items = lines.text.split(separator: "\n").map { Array($0.utf8) }
            #expect(items == events.map(\.bytes))
            seen += try positions(page)
            let next = try page.value("pagination", "nextAfter").whole
            #expect(lines.header("X-Next-After") == next.map(String.init))
            after = next ?? after
        }
        #expect(seen == [1, 2, 3, 4, 5])
    }

    @Test("an empty page says whether its position is beyond the last event")
    func beyond() async throws {
        let (world, _, _) = try await world()
        for (query, isBeyond) in [("after=5", false), ("after=6", true), ("type=routed&after=4", false)] {
            let answer = try await world.send("GET", "/audit/events?\(query)")
            #expect(answer.text.contains(#""beyondEnd":true"#) == isBeyond, "\(query): \(answer.text)")
            let lines = try await world.send(
                "GET", "/audit/events?\(query)", headers: [("Accept", "application/x-ndjson")])
            #expect(lines.header("X-Beyond-End") == (isBeyond ? "true" : nil), "\(query)")
        }
    }

    @Test("an entry comes when it is asked for, and hashes to its leaf")
    func entries() async throws {
        let (world, _, _) = try await world()
        let without = try await world.send("GET", "/audit/events?limit=1")
        #expect(!without.text.contains(#""entry""#))
        let page = try await world.send("GET", "/audit/events?include=entry")
        guard case .array(let events) = try page.value("events") else { return #expect(Bool(false), "no events") }
        for event in events {
            let entry = try #require(event["entry"]?.text.flatMap { Base64.decode($0) })
            #expect(event["leaf"]?.text == Base64.encode(Hash.leaf(of: entry).bytes))
        }
        #expect(try await world.send("GET", "/audit/events?include=all").codes("include") == ["INVALID_QUERY_PARAM"])
    }

    @Test("an end before the beginning is refused")
    func interval() async throws {
        let answer = try await World().send(
            "GET", "/audit/events?from=2026-11-25T00:00:00Z&to=2026-11-24T00:00:00Z")
        #expect(answer.status == 400)
        #expect(answer.codes("to") == ["INVALID_QUERY_PARAM"])
    }

    @Test("an auditor reads a history whoever stands in the path, and sees nobody in it")
    func masked() async throws {
        let (world, completed, _) = try await world()
        let auditor = try await world.key("auditor", .auditor)
        world.clock.advance(milliseconds: 5000)
        for person in ["00123", "99999"] {
            let history = try await world.send("GET", "/appointments/\(person)/\(completed)/events", key: auditor)
            #expect(history.status == 200)
            #expect(try history.text("insuredId") == "***23")
            #expect(!history.text.withoutChance.contains("00123"))
        }
    }
}

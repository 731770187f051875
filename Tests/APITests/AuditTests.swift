import API
import Appointments
import EventStore
import MemoryEngine
import RawHTTP
import Replay
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

    @Test("an auditor who asks by a person is refused, whatever the number, and learns nothing of it")
    func personOracle() async throws {
        let (world, completed, waiting) = try await world()
        let auditor = try await world.key("auditor", .auditor)
        let admin = try await world.key("admin", .admin)
        world.clock.advance(milliseconds: 5000)
        var answers: Set<String> = []
        for person in ["00123", "00124", "99999", "x", "", "%35"] {
            for rest in [
                "", "&appointmentId=\(completed)&limit=1", "&appointmentId=\(waiting)", "&limit=0", "&after=5",
            ] {
                let answer = try await world.send("GET", "/audit/events?insuredId=\(person)\(rest)", key: auditor)
                #expect(answer.status == 403 && answer.errorCode == "FORBIDDEN", "\(person)\(rest)")
                #expect(answer.header("X-Next-After") == nil)
                answers.insert(try answer.text("detail"))
            }
        }
        #expect(answers.count == 1)
        let page = try await world.send("GET", "/audit/events?insuredId=00123&type=requested", key: admin)
        #expect(try positions(page) == [1])
    }

    @Test("what an auditor asks for is recorded without a person's number, or refused by its field")
    func filtersOfPersons() async throws {
        let (world, _, _) = try await world()
        for (name, value) in [("actor", "key:70123"), ("actor", "70123"), ("correlationId", "dni-70123")] {
            let answer = try await world.send("GET", "/audit/events?\(name)=\(value)")
            #expect(answer.status == 400 && answer.codes(name) == ["INVALID_QUERY_PARAM"])
            #expect(!answer.text.contains("70123"))
        }
        #expect(try await world.trail.accesses(matching: AccessFilter(), limit: 10).isEmpty)
        var query = AuditQuery(EventFilter(actor: "key:70123", correlation: "a12345bc-7f19-7b9d-981d-8314088a3df2"))
        query.insured = InsuredID("70123")
        let access = AccessRecord(query, by: "operator:ana", rows: 0, at: world.clock.now)
        let filters = String(decoding: access.filters, as: UTF8.self)
        #expect(filters.contains(#""actor":"key:***23""#) && !filters.contains("70123"))
        #expect(filters.contains("a12345bc-7f19-7b9d-981d-8314088a3df2"))
        let looked = AccessRecord(toAccesses: AccessFilter(caller: "key:70123"), by: "a", rows: 0, at: world.clock.now)
        #expect(!String(decoding: looked.filters, as: UTF8.self).contains("70123"))
    }

    @Test("an auditor reads a history whoever stands in the path, and sees nobody in it")
    func masked() async throws {
        let (world, completed, _) = try await world()
        let auditor = try await world.key("auditor", .auditor)
        world.clock.advance(milliseconds: 5000)
        for person in ["00123", "99999", "***23", "***", "%2A%2A%2A99"] {
            let history = try await world.send("GET", "/appointments/\(person)/\(completed)/events", key: auditor)
            #expect(history.status == 200)
            #expect(try history.text("insuredId") == "***23")
            #expect(!history.text.withoutChance.contains("00123"))
        }
        for person in ["123", "***2", "***234", "nobody"] {
            let answer = try await world.send("GET", "/appointments/\(person)/\(completed)/events", key: auditor)
            #expect(answer.codes("insuredId") == ["VALIDATION_FAILED"], "\(person)")
        }
        let admin = try await world.key("admin", .admin)
        let answer = try await world.send("GET", "/appointments/***23/\(completed)/events", key: admin)
        #expect(answer.status == 404)
    }

    @Test(
        "lines are given to whom names them and likes JSON no better",
        arguments: [
            ("application/x-ndjson", true), ("Application/X-NDJSON ; Q=0.5", true),
            ("application/json, application/x-ndjson", true), ("application/x-ndjson;q=0, application/json", false),
            ("application/json;q=0.5, application/x-ndjson;q=0.4", false), ("*/*", false), ("application/*", false),
            ("application/x-ndjson;q=0.1, */*;q=0.5", false), ("application/x-ndjson;q=0.5, */*;q=0.5", true),
            ("application/x-ndjson;q=0.5, text/*", true), ("application/x-ndjson;q=2", false),
            ("application/x-ndjson;q=1.001", false), ("application/x-ndjson;q=0.0001", false),
            ("application/x-ndjsonp", false), ("x-ndjson", false), ("", false), (",;=", false), ("text/html", false),
        ])
    func acceptedTypes(accept: String, lines: Bool) async throws {
        let world = try World()
        let answer = try await world.send("GET", "/audit/events", headers: [("Accept", accept)])
        #expect(answer.header("Content-Type") == (lines ? "application/x-ndjson" : "application/json"))
        // A list may be sent in pieces.
        let pieces = accept.split(separator: ",").map { ("Accept", String($0)) }
        let again = try await world.send("GET", "/audit/events", headers: pieces)
        #expect(again.header("Content-Type") == answer.header("Content-Type"))
    }
}

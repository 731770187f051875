import API
import EventStore
import RawHTTP
import Testing

/// Lists: which rows, in which order, and the arithmetic of their pages.
@Suite struct ListTests {
    private func ids(_ answer: Answer) throws -> [String?] {
        guard case .array(let rows) = try answer.value("appointments") else { return [] }
        return rows.map { $0["appointmentId"]?.text }
    }

    @Test(
        "a page says how many there are, whether more follow, and which page it is",
        arguments: [
            ("limit=2", #"{"count":2,"total":4,"limit":2,"offset":0,"hasMore":true,"totalPages":2,"currentPage":1}"#),
            (
                "limit=2&offset=2",
                #"{"count":2,"total":4,"limit":2,"offset":2,"hasMore":false,"totalPages":2,"currentPage":2}"#
            ),
            (
                "limit=3&offset=1",
                #"{"count":3,"total":4,"limit":3,"offset":1,"hasMore":false,"totalPages":2,"currentPage":1}"#
            ),
            (
                "offset=10",
                #"{"count":0,"total":4,"limit":20,"offset":10,"hasMore":false,"totalPages":1,"currentPage":1}"#
            ),
            (
                "countryISO=CL",
                #"{"count":0,"total":0,"limit":20,"offset":0,"hasMore":false,"totalPages":0,"currentPage":1}"#
            ),
        ])
    func arithmetic(query: String, wanted: String) async throws {
        let world = try World()
        for schedule in 1...4 { _ = try await world.ask(schedule: schedule) }
        let answer = try await world.send("GET", "/appointments/00123?\(query)")
        #expect(answer.status == 200)
        #expect(String(decoding: try answer.value("pagination").bytes, as: UTF8.self) == wanted)
        #expect(try answer.value("meta", "totalAvailable").whole == 4)
    }

    @Test("dates include their first and last moment")
    func dates() async throws {
        let world = try World()
        var all: [String] = []
        for schedule in 1...3 {
            all.append(try await world.ask(schedule: schedule))
            world.clock.advance(milliseconds: 1000)
        }
        let second = "2026-11-24T07:10:54.123Z"
        let cases = [
            ("startDate=\(second)", [all[2], all[1]]), ("endDate=\(second)", [all[1], all[0]]),
            ("startDate=\(second)&endDate=\(second)", [all[1]]),
        ]
        for (query, wanted) in cases {
            let answer = try await world.send("GET", "/appointments/00123?\(query)")
            #expect(try ids(answer) == wanted, "\(query)")
            let filtered = try answer.value("meta")
            #expect(
                String(decoding: filtered.bytes, as: UTF8.self)
                    == #"{"totalAvailable":3,"totalFiltered":\#(wanted.count),"filterApplied":true}"#)
        }
        let wrong = try await world.send(
            "GET", "/appointments/00123?startDate=2026-11-25T00:00:00Z&endDate=2026-11-24T00:00:00Z")
        #expect(wrong.codes("endDate") == ["INVALID_QUERY_PARAM"])
    }

    @Test("scheduled is another word for processed")
    func scheduled() async throws {
        let world = try World()
        let id = try await world.ask()
        try await world.process(id)
        for status in ["scheduled", "processed"] {
            let answer = try await world.send("GET", "/appointments/00123?status=\(status)")
            #expect(try ids(answer) == [id])
            #expect(try answer.text("filters", "status") == "processed")
        }
        #expect(try ids(try await world.send("GET", "/appointments/00123?status=pending")).isEmpty)
    }

    @Test("what is requested meanwhile neither repeats nor hides a row of the later pages")
    func stable() async throws {
        let world = try World()
        var wanted: [String?] = []
        for schedule in 1...7 {
            wanted.insert(try await world.ask(insured: "0012\(schedule)", schedule: schedule), at: 0)
            if schedule % 2 == 0 { world.clock.advance(milliseconds: 1) }
        }
        var seen: [String?] = []
        var target: String? = "/appointments?status=pending&limit=3"
        while let next = target {
            let page = try await world.send("GET", next)
            seen += try ids(page)
            let cursor = try page.value("pagination", "nextCursor").text
            #expect((cursor != nil) == (try page.value("pagination", "hasMore") == .boolean(true)))
            target = cursor.map { "/appointments?status=pending&limit=3&cursor=\($0)" }
            world.clock.advance(milliseconds: 1)
            _ = try await world.ask(schedule: 50 + seen.count)
        }
        #expect(Set(seen) == Set(wanted))
        #expect(seen.count == wanted.count)
    }

    @Test("a cursor with one character changed is refused, whichever it is")
    func tampered() async throws {
        let world = try World()
        for schedule in 1...3 { _ = try await world.ask(schedule: schedule) }
        let page = try await world.send("GET", "/appointments?status=pending&limit=1")
        let cursor = try page.text("pagination", "nextCursor")
        #expect(try await world.send("GET", "/appointments?status=pending&cursor=\(cursor)").status == 200)
        for place in cursor.indices {
            var changed = cursor
            changed.replaceSubrange(place...place, with: cursor[place] == "A" ? "B" : "A")
            let answer = try await world.send("GET", "/appointments?status=pending&cursor=\(changed)")
            #expect(answer.status == 400)
            #expect(answer.codes("cursor") == ["INVALID_QUERY_PARAM"])
        }
    }

    @Test(
        "a list as of a time is what it was then, and has what the view has not taken in yet",
        arguments: ["/appointments?status=pending", "/appointments?countryISO=PE", "/appointments/00123?limit=50"])
    func asOf(list: String) async throws {
        let world = try World()
        let first = try await world.ask()
        let then = world.clock.now
        world.clock.advance(milliseconds: 5)
        try await world.process(first)
        world.clock.advance(milliseconds: 5)
        let past = try await world.send("GET", "\(list)&asOf=\(then)")
        #expect(past.status == 200)
        #expect(try ids(past) == [first])
        #expect(try status(past) == ["pending"])
        #expect(try ids(try await world.send("GET", "\(list)&asOf=2020-01-01T00:00:00Z")).isEmpty)
        let isPending = list.contains("pending")
        let today = try await world.send("GET", "\(list)&asOf=\(world.clock.now)")
        #expect(try status(today) == (isPending ? [] : ["processed"]))
        // Nobody brings the view up behind this request.
        let unseen = await world.table.respond(
            to: APIRequest(
                method: "POST", path: "/appointments", query: "", headers: [], body: Array(World.request.utf8),
                remoteAddress: "127.0.0.1", requestID: "request-2"))
        let second = try Answer(status: unseen.status, headers: unseen.headers, content: unseen.body)
            .text("appointmentId")
        let ahead = try await world.send("GET", "\(list)&asOf=\(world.clock.now)")
        #expect(try ids(ahead) == (isPending ? [second] : [second, first]))
    }

    private func status(_ answer: Answer) throws -> [String?] {
        guard case .array(let rows) = try answer.value("appointments") else { return [] }
        return rows.map { $0["status"]?.text }
    }
}

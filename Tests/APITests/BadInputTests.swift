import EventStore
import MemoryEngine
import RawHTTP
import Testing

/// What a hostile or broken client sends, byte by byte: refused, nothing stored, nothing crashed.
@Suite struct BadInputTests {
    /// A request, and what the answer has to be.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        var status = 400
        var code = "VALIDATION_ERROR"
        var field: String?
        var fieldCode: String?

        var testDescription: String { name }

        static func body(
            _ name: String, _ text: String, _ field: String, _ fieldCode: String = "VALIDATION_FAILED"
        ) -> Case {
            Case(name: name, bytes: post(Array(text.utf8)), field: field, fieldCode: fieldCode)
        }

        static func query(_ name: String, _ target: String, _ field: String) -> Case {
            Case(
                name: name, bytes: request("GET \(target)"), field: field, fieldCode: "INVALID_QUERY_PARAM")
        }

        static func other(_ name: String, _ bytes: [UInt8], _ status: Int, _ code: String) -> Case {
            Case(name: name, bytes: bytes, status: status, code: code)
        }
    }

    private static func with(
        insured: String = #""00123""#, schedule: String = "100", country: String = #""PE""#, more: String = ""
    ) -> String {
        #"{"insuredId":\#(insured),"scheduleId":\#(schedule),"countryISO":\#(country)\#(more)}"#
    }

    static let bodies: [Case] = [
        .body("no body", "", "body", "MISSING_BODY"),
        .body("no JSON", "appointment", "body", "INVALID_JSON"),
        .body("two values", with() + with(), "body", "INVALID_JSON"),
        .body("a trailing comma", #"{"insuredId":"00123",}"#, "body", "INVALID_JSON"),
        .body("an array", "[]", "body"),
        .body("a duplicated key", with(more: #","scheduleId":101"#), "scheduleId"),
        .body("a duplicated key, escaped", with(more: #","sch\u0065duleId":101"#), "scheduleId"),
        .body("an unknown key", with(more: #","priority":1"#), "unknown"),
        .body("100.0", with(schedule: "100.0"), "scheduleId"),
        .body("1e2", with(schedule: "1e2"), "scheduleId"),
        .body("a number in quotes", with(schedule: #""100""#), "scheduleId"),
        .body("zero", with(schedule: "0"), "scheduleId"),
        .body("a negative number", with(schedule: "-1"), "scheduleId"),
        .body("2^53", with(schedule: "9007199254740992"), "scheduleId"),
        .body("2^63", with(schedule: "9223372036854775808"), "scheduleId"),
        .body("Arabic-Indic digits", with(insured: #""٠٠١٢٣""#), "insuredId"),
        .body("four digits", with(insured: #""0123""#), "insuredId"),
        .body("six digits", with(insured: #""001234""#), "insuredId"),
        .body("a number as insured id", with(insured: "123"), "insuredId"),
        .body("a newline behind the digits", with(insured: #""00123\n""#), "insuredId"),
        .body("a NUL behind the digits", with(insured: #""00123\u0000""#), "insuredId"),
        .body("a country in lower case", with(country: #""pe""#), "countryISO"),
        .body("another country", with(country: #""AR""#), "countryISO"),
        .body("null", with(country: "null"), "countryISO"),
        .body("depth 9", String(repeating: "[", count: 9) + String(repeating: "]", count: 9), "body", "INVALID_JSON"),
        .body("half of a surrogate pair", with(insured: #""\ud800""#), "body", "INVALID_JSON"),
        Case(
            name: "a byte-order mark", bytes: post([0xEF, 0xBB, 0xBF] + Array(with().utf8)), field: "body",
            fieldCode: "INVALID_JSON"),
        Case(
            name: "UTF-16", bytes: post(Array(with().utf16).flatMap { [UInt8(truncatingIfNeeded: $0), 0] }),
            field: "body", fieldCode: "INVALID_JSON"),
        Case(
            name: "invalid UTF-8", bytes: post(Array(#"{"insuredId":""#.utf8) + [0xFF, 0xC0] + Array(#""}"#.utf8)),
            field: "body", fieldCode: "INVALID_JSON"),
    ]

    static let queries: [Case] = [
        .query("a limit beyond 64 bits", "/appointments/00123?limit=9223372036854775808", "limit"),
        .query("a limit of 0", "/appointments/00123?limit=0", "limit"),
        .query("a limit of 101", "/appointments/00123?limit=101", "limit"),
        .query("a limit with a sign", "/appointments/00123?limit=%2B5", "limit"),
        .query("a negative offset", "/appointments/00123?offset=-1", "offset"),
        .query("an unknown parameter", "/appointments/00123?page=2", "page"),
        .query("a parameter twice", "/appointments/00123?limit=1&limit=2", "limit"),
        .query("an unknown status", "/appointments/00123?status=done", "status"),
        .query("a day that does not exist", "/appointments/00123?startDate=2026-02-30T00:00:00Z", "startDate"),
        .query("a tampered cursor", "/appointments?status=pending&cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        .query("an audit limit of 1001", "/audit/events?limit=1001", "limit"),
        .query("an unknown kind of event", "/audit/events?type=deleted", "type"),
        .query("a version that is no number", "/appointments/00123/\(UUIDs.some)?version=x", "version"),
    ]

    static let others: [Case] = [
        .other("an unknown route", request("GET /nothing"), 404, "ROUTE_NOT_FOUND"),
        .other(
            "an unknown appointment", request("GET /appointments/00123/\(UUIDs.some)"), 404, "APPOINTMENT_NOT_FOUND"),
        .other("another method", request("DELETE /appointments/00123"), 405, "METHOD_NOT_ALLOWED"),
        .other(
            "another media type", post(Array(with().utf8), headers: "Content-Type: text/plain\r\n"), 415,
            "UNSUPPORTED_MEDIA_TYPE"),
        .other(
            "a body of 16 KiB and a byte", post(Array(repeating: 0x20, count: 16 * 1024 + 1)), 413,
            "PAYLOAD_TOO_LARGE"),
        .other(
            "a string of 1 MiB", post(Array(with(insured: "\"" + String(repeating: "1", count: 1 << 20) + "\"").utf8)),
            413, "PAYLOAD_TOO_LARGE"),
        .other(
            "depth 1,000,000", post(Array(repeating: UInt8(ascii: "["), count: 1_000_000)), 413, "PAYLOAD_TOO_LARGE"),
        .other(
            "CL and TE",
            Array(
                """
                POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \
                4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
                """
                .utf8), 400, "VALIDATION_ERROR"),
        .other(
            "a NUL in a header", request("GET /health/live", headers: "X-Thing: a\u{0}b\r\n"), 400, "VALIDATION_ERROR"),
        .other("no HTTP", Array("\u{16}\u{3}\u{1}hello\r\n\r\n".utf8), 400, "VALIDATION_ERROR"),
        .other("a long URI", request("GET /" + String(repeating: "a", count: 9000)), 414, "URI_TOO_LONG"),
        .other(
            "too many headers", request("GET /health/live", headers: (0..<200).map { "X-\($0): a\r\n" }.joined()), 431,
            "HEADERS_TOO_LARGE"),
        .other(
            "a long header", request("GET /health/live", headers: "X-A: \(String(repeating: "a", count: 20_000))\r\n"),
            431, "HEADERS_TOO_LARGE"),
        .other("a chunked body beyond the limit", chunked(17), 413, "PAYLOAD_TOO_LARGE"),
    ]

    /// A chunked body of so many KiB.
    private static func chunked(_ kibibytes: Int) -> [UInt8] {
        let chunk = "400\r\n" + String(repeating: " ", count: 1024) + "\r\n"
        let head =
            """
            POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: \
            chunked\r\n\r\n
            """
        return Array((head + String(repeating: chunk, count: kibibytes) + "0\r\n\r\n").utf8)
    }

    @Test(
        "a bad request is refused with its code, in the error's shape, and nothing is stored",
        arguments: bodies + queries + others)
    func refused(sample: Case) async throws {
        let world = try World()
        try await withServer(world) { port in
            let answer = try #require(try await exchange(port, sample.bytes))
            #expect(answer.status == sample.status)
            #expect(answer.errorCode == sample.code)
            #expect(answer.header("Content-Type") == "application/problem+json")
            #expect(answer.header("X-Content-Type-Options") == "nosniff")
            #expect(answer.header("Access-Control-Allow-Origin") == "*")
            #expect(try answer.value("status").whole == Int64(sample.status))
            if let field = sample.field { #expect(answer.codes(field) == [try #require(sample.fieldCode)]) }
            #expect(!answer.text.withoutChance.contains("00123") || sample.bytes.starts(with: Array("GET ".utf8)))
            // The server is as well as before.
            #expect(try await exchange(port, request("GET /health/live"))?.status == 200)
        }
        #expect(try await world.store.head() == 0)
    }

    @Test("everything that is wrong is said at once, by field")
    func allAtOnce() async throws {
        let world = try World()
        let answer = try await world.send("POST", "/appointments", body: #"{"insuredId":"1","scheduleId":0,"x":1}"#)
        #expect(answer.codes("insuredId") == ["VALIDATION_FAILED"])
        #expect(answer.codes("scheduleId") == ["VALIDATION_FAILED"])
        #expect(answer.codes("countryISO") == ["VALIDATION_FAILED"])
        #expect(answer.codes("unknown") == ["VALIDATION_FAILED"])
        #expect(try answer.value("error", "details", "errorCount").whole == 4)
    }
}

enum UUIDs {
    static let some = "01a20eb6-7f19-7b9d-981d-8314088a3df2"
}

import API
import EventStore
import RawHTTP
import Testing

/// Whose word is believed for who calls.
@Suite struct TrustedProxyTests {
    /// Whom the log names as the caller of a request; nil when it was refused.
    private func caller(
        from peer: String, _ headers: [(String, String)], trusting proxies: [String]
    ) async throws -> String? {
        let lines = LogLines()
        let world = try World(proxies: try TrustedProxies(proxies), logger: lines.logger)
        let answer = try await world.send("GET", "/health/live", headers: headers, from: peer)
        if answer.status == 400 {
            #expect(answer.codes(headers[0].0) == ["VALIDATION_FAILED"], "\(answer.text)")
            return nil
        }
        #expect(answer.status == 200)
        let line = try JSONValue(Array(try #require(lines.all.last).utf8))
        return try #require(line["data"]?["address"]?.text)
    }

    @Test(
        "without trust nobody's word counts, and with it the right-most hop that is not trusted calls",
        arguments: [
            ([], "10.0.0.1", "203.0.113.9", "10.0.0.1"), (["10.0.0.2"], "10.0.0.1", "203.0.113.9", "10.0.0.1"),
            (["10.0.0.1"], "10.0.0.1", "203.0.113.9", "203.0.113.9"),
            (["10.0.0.0/8"], "10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),
            (["10.0.0.0/8"], "10.0.0.1", "127.0.0.1, 203.0.113.9, 10.2.3.4", "203.0.113.9"),
            (["10.0.0.0/8"], "10.0.0.1", "10.9.9.9,10.2.3.4", "10.9.9.9"), (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
            (["10.0.0.0/8"], "::ffff:10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
            (["::1"], "::1", "[2001:db8::17]:4711", "2001:db8::17"), (["::1"], "::1", "2001:DB8:0::17", "2001:db8::17"),
            (["10.0.0.0/8"], "10.0.0.1", "nonsense, 203.0.113.9", "203.0.113.9"),
            (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
            (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9, nonsense", nil),
            (["10.0.0.0/8"], "10.0.0.1", "203.0.113.09", nil), (["10.0.0.0/8"], "10.0.0.1", "[203.0.113.9]", nil),
            (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9:port", nil), (["10.0.0.0/8"], "10.0.0.1", "[::1]x", nil),
        ] as [([String], String, String, String?)])
    func list(proxies: [String], peer: String, value: String, wanted: String?) async throws {
        #expect(try await caller(from: peer, [("X-Forwarded-For", value)], trusting: proxies) == wanted)
    }

    @Test(
        "forwarded is read as RFC 7239 says",
        arguments: [
            ("for=203.0.113.9", "203.0.113.9"), ("For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
            (#"for="[2001:db8:cafe::17]:4711""#, "2001:db8:cafe::17"), (#"for="203.0.113.9:80""#, "203.0.113.9"),
            (#"for="203.0.113.9:_port""#, "203.0.113.9"), (#"for="\203.0.113.9""#, "203.0.113.9"),
            (#"for=127.0.0.1, for="203.0.113.9";host="a,b;c=d""#, "203.0.113.9"),
            ("for=198.51.100.1 ,\t for=10.1.1.1,", "198.51.100.1"), ("for=203.0.113.9, for=unknown", "10.0.0.1"),
            ("for=203.0.113.9, for=_hidden", "10.0.0.1"), ("for=203.0.113.9, proto=https", "10.0.0.1"),
            ("for=203.0.113.9, for=nonsense", nil), ("for", nil), ("for=", nil), ("for=[::1]", nil),
            ("for=203.0.113.9:80", nil), (#"for="203.0.113.9"#, nil), ("for=203.0.113.9 ; proto=http", nil),
            ("for=203.0.113.9;for=127.0.0.1", nil), (#"for="[203.0.113.9]""#, nil), (#"for="::1""#, nil),
            ("203.0.113.9", nil), (#"for="\"#, nil), ("for=203.0.113.9 for=127.0.0.1", nil),
        ] as [(String, String?)])
    func standard(value: String, wanted: String?) async throws {
        #expect(try await caller(from: "10.0.0.1", [("Forwarded", value)], trusting: ["10.0.0.0/8"]) == wanted)
    }

    @Test("several fields are one list, and two headers that name different callers are refused")
    func together() async throws {
        let fields = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "203.0.113.9")]
        #expect(try await caller(from: "10.0.0.1", fields, trusting: ["10.0.0.1"]) == "203.0.113.9")
        let both = [("Forwarded", "for=203.0.113.9"), ("X-Forwarded-For", "203.0.113.9")]
        #expect(try await caller(from: "10.0.0.1", both, trusting: ["10.0.0.1"]) == "203.0.113.9")
        let contrary = [("Forwarded", "for=198.51.100.1"), ("X-Forwarded-For", "203.0.113.9")]
        #expect(try await caller(from: "10.0.0.1", contrary, trusting: ["10.0.0.1"]) == nil)
        #expect(try await caller(from: "10.0.0.1", [("X-Real-IP", "127.0.0.1")], trusting: ["10.0.0.1"]) == "10.0.0.1")
    }

    @Test("limits are those of the caller that a trusted proxy names")
    func limits() async throws {
        let limits = RateLimits(
            perAddress: RateLimit(perSecond: 1, burst: 1), wrongKeys: RateLimit(perSecond: 1, burst: 1))
        let world = try World(limits: limits, proxies: try TrustedProxies(["127.0.0.1"]))
        let key = try await world.key("desk", .intake)
        for (client, key, statuses) in [("1", "wrong", [401, 429]), ("2", nil, [401, 429]), ("3", key, [200, 200])] {
            for status in statuses {
                let headers = [("X-Forwarded-For", "203.0.113.\(client)")]
                let answer = try await world.send("GET", "/appointments/00123", headers: headers, key: key)
                #expect(answer.status == status, "\(client)")
            }
        }
    }

    @Test(
        "a proxy that is no address or network is refused in words",
        arguments: [
            "", "proxy.example", "10.0.0.0/33", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/", "10.0.0.0/08",
            "10.0.0.0/-1", "10.0.0.0/8/8", "fe80::1%eth0", "127.1", " 10.0.0.1", "2001:db8::/129", "127.0.0.1\u{0}",
        ])
    func settings(text: String) {
        let error = #expect(throws: EventStoreError.self) { try TrustedProxies([text]) }
        #expect(error?.message.contains("10.0.0.0/8") == true)
    }
}

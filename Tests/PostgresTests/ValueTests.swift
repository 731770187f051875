import EventStore
import PostgresEngine
import TestPostgres
import Testing

/// What goes in comes out.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct ValueTests {
    private func round<Value: Sendable>(
        _ type: String, _ value: PostgresValue, _ read: @escaping @Sendable (PostgresRow) throws -> Value
    ) async throws -> Value? {
        try await TestCluster.shared.use { try $0.row("SELECT $1::\(type)", [value], read) }
    }

    @Test("an integer comes back, the first and the last of its width too", arguments: [Int.min, -1, 0, 1, .max])
    func integers(value: Int) async throws {
        let narrow = (Int(Int16(clamping: value)), Int(Int32(clamping: value)))
        #expect(try await round("int8", .int8(value)) { try $0.int(0) } == value)
        #expect(try await round("int4", .int4(narrow.1)) { try $0.int(0) } == narrow.1)
        #expect(try await round("int2", .int2(narrow.0)) { try $0.int(0) } == narrow.0)
        #expect(try await round("text", .text("\(value)")) { try $0.text(0) } == "\(value)")
        #expect(try await round("float8", .int8(narrow.1)) { $0.isNull(0) } == false)
    }

    @Test("an integer that its column is too narrow for is refused before it is sent, and not named")
    func tooWide() async throws {
        for (type, value) in [("int2", 32_768), ("int2", -32_769), ("int4", 2_147_483_648)] {
            let error = await #expect(throws: EventStoreError.self) {
                try await round(type, .int8(value)) { try $0.int(0) }
            }
            #expect(error?.postgres?.sqlState == "22003" && error?.code == .invalid)
            #expect(error?.description.contains(String(value)) == false)
        }
    }

    @Test("a text comes back by its bytes", arguments: ["", "ñandú", "\u{1}\n\t'\"\\", "e\u{301}", "🙂", "a\u{FEFF}"])
    func texts(value: String) async throws {
        let read = try await round("text", .text(value)) { try $0.text(0) }
        #expect(read.map { Array($0.utf8) } == Array(value.utf8))
        #expect(try await round("varchar", .text(value)) { try $0.text(0) } == value)
    }

    @Test("U+0000 is refused before it is sent, wherever it stands")
    func zero() async throws {
        let values: [(String, PostgresValue)] = [
            ("text", .text("a\0b")), ("json", .json([0])), ("text[]", .array([.text("\0")])),
        ]
        for (type, value) in values {
            let error = await #expect(throws: EventStoreError.self) { try await round(type, value) { $0.isNull(0) } }
            #expect(error?.postgres?.sqlState == "22021")
        }
    }

    @Test("bytes and digests come back", arguments: [0, 1, 32, 100_000])
    func bytes(count: Int) async throws {
        let value = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(try await round("bytea", .bytes(value)) { try $0.bytes(0) } == value)
        let hash = Hash(of: value)
        #expect(try await round("bytea", .hash(hash)) { try $0.hash(0) } == hash)
    }

    @Test("truth values, identifiers, JSON and days come back")
    func others() async throws {
        for value in [true, false] { #expect(try await round("bool", .bool(value)) { try $0.bool(0) } == value) }
        for value in [Identifier(high: 0, low: 0), Identifier(high: .max, low: .max), Identifier(high: 1, low: 2)] {
            #expect(try await round("uuid", .uuid(value)) { try $0.uuid(0) } == value)
            #expect(try await round("text", .text("\(value)")) { try $0.text(0) } == "\(value)")
        }
        let json = Array(#"{"a": [1, null, "ñ"]}"#.utf8)
        for type in ["json", "jsonb"] { #expect(try await round(type, .json(json)) { try $0.json(0) } == json) }
        for (year, month, day) in [(0, 1, 1), (1969, 12, 31), (2000, 2, 29), (9999, 12, 31)] {
            let date = try #require(CivilDate(year: year, month: month, day: day))
            #expect(try await round("date", .date(date)) { try $0.date(0) } == date)
        }
    }

    @Test(
        "a moment comes back to the millisecond",
        arguments: [
            Timestamp.bounds.lowerBound, -1, 0, 1, 946_684_799_999, 1_772_463_600_123, Timestamp.bounds.upperBound,
        ])
    func moments(milliseconds: Int64) async throws {
        let value = Timestamp(milliseconds: milliseconds)
        #expect(try await round("timestamptz", .moment(value)) { try $0.moment(0) } == value)
        // The server agrees on which moment it is.
        if milliseconds == Timestamp.bounds.lowerBound { return }
        let text = try await TestCluster.shared.use { session in
            try session.row(
                #"SELECT to_char($1::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#,
                [.moment(value)]
            ) { try $0.text(0) }
        }
        #expect(text == value.description)
    }

    @Test("what Swift can't hold is an error of its column and not another value")
    func foreign() async throws {
        let cases: [(String, @Sendable (PostgresRow) throws -> Void)] = [
            ("'infinity'::timestamptz", { _ = try $0.moment(0) }),
            ("'10000-01-01'::timestamptz", { _ = try $0.moment(0) }),
            ("'-infinity'::date", { _ = try $0.date(0) }), ("'0044-03-15 BC'::date", { _ = try $0.date(0) }),
            ("NULL::int8", { _ = try $0.int(0) }), ("'\\x00'::bytea", { _ = try $0.hash(0) }),
        ]
        for (expression, read) in cases {
            let error = await #expect(throws: EventStoreError.self) {
                try await TestCluster.shared.use { try $0.row("SELECT \(expression) AS odd") { try read($0) } }
            }
            #expect(error?.code == .corrupt && error?.message.contains("odd") == true)
        }
        let mismatch = await #expect(throws: EventStoreError.self) {
            try await TestCluster.shared.use { try $0.row("SELECT sum(1::int8) AS total") { try $0.int(0) } }
        }
        #expect(mismatch?.code == .invalid && mismatch?.message.contains("numeric") == true)
    }

    @Test("null is null for every type, and only then")
    func nulls() async throws {
        for type in ["bool", "int2", "int4", "int8", "text", "bytea", "uuid", "timestamptz", "date", "jsonb", "int8[]"]
        {
            #expect(try await round(type, .null) { $0.isNull(0) } == true)
        }
        let absent: Int? = nil
        for number in [absent, 7] {
            let value = PostgresValue.ifPresent(number, PostgresValue.int8)
            #expect(try await round("int8", value) { try $0.ifPresent(0, $0.int) } == .some(number))
        }
        #expect(try await round("text", .text("")) { $0.isNull(0) } == false)
    }

    @Test("arrays come in, empty ones and nulls too")
    func arrays() async throws {
        let uuid = Identifier(high: 3, low: 4)
        let cases: [(String, [PostgresValue], String)] = [
            ("int8[]", [], "{}"), ("int8[]", [.int8(1), .null, .int8(.min)], "{1,NULL,-9223372036854775808}"),
            ("text[]", [.text("a"), .text("")], "{a,\"\"}"), ("uuid[]", [.uuid(uuid)], "{\(uuid)}"),
            ("bytea[]", [.bytes([255]), .bytes([])], #"{"\\xff","\\x"}"#), ("bool[]", [.bool(true)], "{t}"),
            ("int4[]", [.int8(5)], "{5}"), ("date[]", [.date(CivilDate(daysSinceEpoch: 0))], "{1970-01-01}"),
        ]
        for (type, values, text) in cases {
            let read = try await TestCluster.shared.use { session in
                try session.row("SELECT ($1::\(type))::text", [.array(values)]) { try $0.text(0) }
            }
            #expect(read == text)
        }
    }

    @Test("a value of another kind than its place is refused before it is sent, and not named")
    func mismatch() async throws {
        let cases: [(String, PostgresValue)] = [
            ("int8", .text("7777")), ("text", .int8(7777)), ("uuid", .text("7777")), ("numeric", .int8(7777)),
            ("int8", .array([.int8(7777)])), ("text[]", .text("7777")),
        ]
        for (type, value) in cases {
            let error = await #expect(throws: EventStoreError.self) { try await round(type, value) { $0.isNull(0) } }
            #expect(error?.postgres?.sqlState == "42804")
            #expect(error?.description.contains("7777") == false && error?.description.contains("$1") == true)
        }
        let count = await #expect(throws: EventStoreError.self) {
            try await TestCluster.shared.use { try $0.execute("SELECT $1::int8, $2::int8", [.int8(1)]) }
        }
        #expect(count?.postgres?.sqlState == "08P01")
    }
}

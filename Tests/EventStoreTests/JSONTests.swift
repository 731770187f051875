import EventStore
import Testing

@Suite("Strict JSON")
struct JSONTests {
    private func read(_ bytes: [UInt8]) -> JSONValue? { try? JSONValue(bytes) }

    private func read(_ text: String) -> JSONValue? { read(Array(text.utf8)) }

    @Test(
        "What RFC 8259 allows is read",
        arguments: [
            "[]", "{}", "[[]   ]", "[\"\"]", "[\"a\"]", "[false]", "[null, 1, \"1\", {}]", "[null]", "[1\n]", " [1]",
            "[1,null,null,null,2]", "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]", "[-0.000000000000000000001]",
            "[20e1]", "[-0]", "[-123]", "[-1]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]", "[123.456e78]", "[1e-2]",
            "[1e+2]", "[123]", "[123.456789]", "{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", "{\"\":0}",
            "{\"foo\\u0000bar\": 42}", "{\"min\": -1.0e+28, \"max\": 1.0e+28}", "{\"a\":[]}", "{\n\"a\": \"b\"\n}",
            "[\"\\u0060\\u012a\\u12AB\"]", "[\"\\uD801\\udc37\"]", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]",
            "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\\u0000\"]", "[\"\\\"\"]", "[\"a/*b*/c/*d//e\"]", "[\"\\uFFFF\"]",
            "[\"\u{7F}\"]", "[\"\u{2028}\"]", "[\"π\"]", "[\"asd \"]", "\" \"", "42", "-0.1", "null", "\"asd\"", "true",
            "\t\r\n 1 \t\r\n",
        ])
    func accepted(text: String) {
        #expect(read(text) != nil)
    }

    @Test(
        "What RFC 8259 does not allow is refused",
        arguments: [
            "", " ", "[1 true]", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]", "[\"\",]", "[\"x\"",
            "[x", "[3[4]]", "[1:2]", "[,]", "[-]", "[   , \"\"]", "[\"a\",\n4\n,1,", "[1,]", "[1,,]",
            "[\"\u{0B}a\"\\f]",
            "[*]", "[\"\"", "[1,", "[{}", "[fals]", "[nul]", "[tru]", "[True]", "[++1234]", "[+1]", "[+Inf]", "[-01]",
            "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0e]",
            "[1.0e+]", "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[2.e3]", "[2.]", "[9.e+]", "[Inf]",
            "[NaN]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]", "[- 1]", "[-012]", "[-.123]", "[-1x]",
            "[1ea]", "[1.]", "[.123]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]", "[\u{FF11}]", "[\u{661}]",
            "[\"x\", truth]", "{[: \"x\"}", "{\"x\", null}", "{\"x\"::\"b\"}", "{\"a\":\"a\" 123}", "{key: 'value'}",
            "{\"a\" b}", "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":", "{\"a\"", "{1:1}", "{null:null,null:null}",
            "{\"id\":0,,,,,}", "{'a':0}", "{\"id\":0,}", "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}//",
            "{\"a\":\"b\",,\"c\":\"d\"}",
            "{a: \"b\"}", "{\"a\":\"a", "{ \"foo\" : \"bar\", \"a\" }", "{\"a\":\"b\"}#", "[\"\\uD800\\\"]",
            "[\"\\uD800\\u\"]", "[\"\\uD800\\u1\"]", "[\"\\uD800\\u1x\"]", "[\\u000A\"\"]", "[\"\\uD800\"]",
            "[\"\\uDC00\"]", "[\"\\uD800\\uD800\"]", "[\"\\uD800abc\"]", "[\"\\uDd1e\\uD834\"]", "[é]", "[\"\\\u{0}\"]",
            "[\"\\\\\\\"]", "[\"\\\t\"]", "[\"\\🌀\"]", "[\"\\\"]", "[\"\\u00A\"]", "[\"\\uD834\\uDd\"]", "[\"\\a\"]",
            "[\"\\uqqqq\"]", "[\"\\x00\"]", "[\\n]", "\"", "['single quote']", "abc", "[\"\\", "[\"new\nline\"]",
            "[\"\t\"]", "\"\\UA66D\"", "[\"\u{0}\"]", "[\"\u{1F}\"]", "<.>", "[<null>]", "[1]x", "[1]]", "[][]",
            "]", "{}}", "{\"\":", "{\"a\":/*comment*/\"b\"}", "{\"a\": true} \"x\"", "['", "[,", "[{", "[\"a", "{",
            "{]", "{,", "{[", "{\"a", "{'a'", "*", "[\u{C}]", "[\u{2060}]", "[\u{A0}1]", "nulll", "truefalse", "1 2",
            "--1",
        ])
    func refused(text: String) {
        #expect(read(text) == nil)
    }

    @Test(
        "Bytes that are no UTF-8, and byte-order marks, are refused",
        arguments: [
            [0xEF, 0xBB, 0xBF, 0x7B, 0x7D], [0xEF, 0xBB, 0xBF], [0xFF, 0xFE, 0x7B, 0, 0x7D, 0], [0xFE, 0xFF, 0, 0x5B],
            [0x22, 0xFF, 0x22], [0x22, 0x80, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xE0, 0x80, 0xAF, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE5, 0x22],
            [0x22, 0xF0, 0x9F, 0x92, 0x22], [0x22, 0x5C, 0xE5, 0x22], [0x22, 0x5C, 0x6E, 0xE5, 0x22],
            [0x5B, 0xE5, 0x5D],
            [0x00], [0x22, 0x5C, 0x75, 0x30, 0x30, 0xE5, 0x22], [0x31, 0xE5],
            [0x22, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x80, 0x22],
        ] as [[UInt8]])
    func encodings(bytes: [UInt8]) {
        #expect(read(bytes) == nil)
    }

    @Test(
        "A key that appears twice is refused, also escaped, and named",
        arguments: [
            #"{"a":1,"a":1}"#, #"{"a":1,"b":2,"\u0061":3}"#, #"[{"x":{"a":1,"a":2}}]"#, #"{"a":{},"a":[]}"#,
        ])
    func duplicates(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(Array(text.utf8)) }
        do throws(JSONError) {
            _ = try JSONValue(Array(text.utf8))
        } catch {
            #expect(error.duplicateKey == "a")
        }
    }

    @Test("Keys that are only canonically equivalent are two keys")
    func equivalentKeys() {
        let value = read("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value?["\u{E9}"]?.whole == 1)
        #expect(value?["e\u{301}"]?.whole == 2)
    }

    @Test("A long duplicate key is cut in the error")
    func longDuplicate() {
        let key = String(repeating: "k", count: 100_000)
        do throws(JSONError) {
            _ = try JSONValue(Array("{\"\(key)\":1,\"\(key)\":2}".utf8))
            Issue.record("the duplicate was accepted")
        } catch {
            #expect(error.duplicateKey?.count == 64)
        }
    }

    @Test("A depth of a million is refused without a crash", arguments: ["[", "{\"a\":", "[{\"a\":"])
    func deep(opening: String) {
        #expect(read(String(repeating: opening, count: 1_000_000)) == nil)
        #expect(read("[" + String(repeating: opening, count: 31)) == nil)
    }

    @Test("The limit of depth is exact")
    func depthLimit() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(read(nested(32)) != nil)
        #expect(read(nested(33)) == nil)
        #expect((try? JSONValue(nested(8), maximumDepth: 8)) != nil)
        #expect((try? JSONValue(nested(9), maximumDepth: 8)) == nil)
        #expect(read("[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]") != nil)
    }

    @Test("A string of a mebibyte is read")
    func longString() {
        let text = String(repeating: "ñ", count: 1 << 19)
        #expect(read("\"\(text)\"")?.text == text)
    }

    @Test("Only whole numbers of 64 bits are integers; others keep their text")
    func numbers() {
        #expect(read("9223372036854775807")?.whole == .max)
        #expect(read("-9223372036854775808")?.whole == .min)
        #expect(read("-0")?.whole == 0)
        for text in [
            "9223372036854775808", "-9223372036854775809", "100.0", "1e2", "1E2", "-0.0",
            String(repeating: "9", count: 5000),
        ] {
            #expect(read(text)?.whole == nil)
            #expect(read(text) == .number(text))
        }
    }

    @Test("Escapes are decoded")
    func escapes() {
        #expect(read(#""\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE39""#)?.text == "\"\\/\u{8}\u{C}\n\r\tA\u{E9}😹")
        #expect(read(#""\u0000""#)?.text == "\u{0}")
    }
}

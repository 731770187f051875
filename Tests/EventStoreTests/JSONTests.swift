import EventStore
import Testing

@Suite struct JSONTests {
    @Test(
        "what RFC 8259 allows is read and written back",
        arguments: [
            "null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "1.5", "1e2", "-0.0E-3",
            #""""#, #""a""#, #""é""#, #""😀""#, "[]", "[1,[2,[3]]]", "{}", #"{"a":1,"b":{"c":[null]}}"#, #"{"":0}"#,
        ])
    func accepts(text: String) throws {
        #expect(String(decoding: try JSONValue(Array(text.utf8)).bytes, as: UTF8.self) == text)
        let spaced = " \t\r\n" + text + " \n"
        #expect(try JSONValue(Array(spaced.utf8)) == JSONValue(Array(text.utf8)))
    }

    @Test(
        "escapes are decoded",
        arguments: [
            (#""\u0041\n\t\"\\\/\b\f\r""#, "A\n\t\"\\/\u{8}\u{c}\r"), (#""\ud83d\ude00""#, "😀"), (#""\u00e9""#, "é"),
            (#""\u0000""#, "\0"),
        ])
    func escapes(text: String, value: String) throws {
        #expect(try JSONValue(Array(text.utf8)).text == value)
    }

    @Test(
        "what RFC 8259 does not allow is refused",
        arguments: [
            "", " ", "nul", "truefalse", "01", "+1", "-", "1.", ".5", "1e", "1e+", "0x10", "NaN", "Infinity", "'a'",
            #""a"#,
            #""\x41""#, #""\u12""#, #""\u12g4""#, #""\ud800""#, #""\ude00""#, #""\ud800\u0041""#, "\"a\nb\"",
            "\"\u{1}\"",
            "[1,]", "[,1]", "[1 2]", "[", "]", "{", "}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}",
            #"{"a":1 "b":2}"#,
            "[1]x", "1 2", "\u{FEFF}1", "/*a*/1", #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#,
        ])
    func refuses(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(Array(text.utf8)) }
    }

    @Test("the same key in two spellings of Unicode is two keys, byte by byte")
    func canonicalEquivalence() throws {
        #expect(throws: Never.self) { try JSONValue(Array("{\"é\":1,\"e\u{301}\":2}".utf8)) }
    }

    @Test(
        "invalid UTF-8 is refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]])
    func invalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONValue([0x22] + bytes + [0x22]) }
    }

    @Test("nesting is refused beyond its limit, however deep", arguments: [33, 100_000, 1_000_000])
    func depth(depth: Int) {
        #expect(throws: JSONError.self) { try JSONValue(Array(repeating: UInt8(ascii: "["), count: depth)) }
        let open = Array(String(repeating: #"{"a":"#, count: depth).utf8)
        #expect(throws: JSONError.self) { try JSONValue(open) }
    }

    @Test(
        "a whole number fits 64 bits or is none",
        arguments: ["9223372036854775808", "-9223372036854775809", "1e2", "100.0", "1e400"])
    func noInteger(text: String) throws {
        #expect(try JSONValue(Array(text.utf8)).whole == nil)
        #expect(throws: JSONError.self) {
            try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in try reader.integer() }
        }
    }

    @Test("mutated documents are read or refused, and never stop the program")
    func fuzz() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed of the fuzz: \(seed)")
        var state = seed
        func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let document = Array(#"{"type":"requested","a":[1,-2.5e3,null,true],"s":"\u00e9\n😀","o":{"x":{"y":"z"}}}"#.utf8)
        let bytes: [UInt8] = Array("{}[]\",:\\u0123456789eE+-.ntf \u{0}\u{1F}".utf8) + [0x80, 0xFF, 0xED]
        for _ in 0..<50_000 {
            var mutant = document
            for _ in 0...(next() % 4) {
                let place = next() % mutant.count
                switch next() % 3 {
                case 0: mutant[place] = bytes[next() % bytes.count]
                case 1: mutant.insert(bytes[next() % bytes.count], at: place)
                default: mutant.removeSubrange(place..<min(place + next() % 5, mutant.count))
                }
                if mutant.isEmpty { mutant = document }
            }
            guard let value = try? JSONValue(mutant) else { continue }
            // What was read is written as JSON that reads as the same.
            #expect((try? JSONValue(value.bytes)) == value, "with seed \(seed)")
        }
    }

    @Test("control characters are escaped, and everything else stands as it is")
    func writes() {
        var writer = JSONWriter()
        writer.object {
            $0.member("a\"\\", "\u{1}\n\u{1F}é/")
            $0.member("n", Int?.none)
            $0.member("none", String?.none)
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"a\"\\":"\u0001\u000a\u001fé/","n":null,"none":null}"#)
    }
}

import EventStore
import Testing

@Suite("Identifier")
struct IdentifierTests {
    @Test("A UUID is written in lower case and read in either")
    func text() throws {
        let text = "0123abcd-4567-89ab-cdef-fedcba987654"
        let id = try #require(Identifier(text))
        #expect(id.description == text)
        #expect(Identifier(text.uppercased()) == id)
        #expect(id.high == 0x0123_abcd_4567_89ab)
        #expect(id.low == 0xcdef_fedc_ba98_7654)
        #expect(Identifier(bytes: id.bytes) == id)
    }

    @Test(
        "Anything else is no UUID",
        arguments: [
            "", "0123abcd-4567-89ab-cdef-fedcba98765", "0123abcd-4567-89ab-cdef-fedcba9876543",
            "0123abcd4567-89ab-cdef-fedcba987654-", "0123abcd-4567-89ab-cdef-fedcba98765g",
            "{0123abcd-4567-89ab-cdef-fedcba98765}", "0123abcd_4567_89ab_cdef_fedcba987654",
            "0123abcd456789abcdeffedcba987654", "٠123abcd-4567-89ab-cdef-fedcba98765",
            "０123abcd-4567-89ab-cdef-fedcba9",
        ])
    func refused(text: String) {
        #expect(Identifier(text) == nil)
    }

    @Test("Only 16 bytes make an identifier", arguments: [0, 15, 17])
    func length(count: Int) {
        #expect(Identifier(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test("Version and variant stand in their places, whatever the random bits")
    func versions() {
        for random in [(UInt64.min, UInt64.min), (.max, .max), (0x1234_5678_9ABC_DEF0, 0x0FED_CBA9_8765_4321)] {
            let moment = Timestamp(milliseconds: 1_772_463_600_123)
            let hash = Hash(of: Array("\(random)".utf8))
            let ids: [(Identifier, Character)] = [
                (.version4(random: random), "4"), (.version7(at: moment, random: random), "7"), (.version8(hash), "8"),
            ]
            for (id, version) in ids {
                let text = Array(id.description)
                #expect(text[14] == version)
                #expect("89ab".contains(text[19]))
            }
        }
    }

    @Test("A UUIDv7 begins with its milliseconds, so that later ones are greater")
    func version7() throws {
        let id = Identifier.version7(
            at: Timestamp(milliseconds: 0x017F_22E2_79B0), random: (0xCC3, 0x18C4_DC0C_0C07_398F))
        // The example of RFC 9562, appendix A.6.
        #expect(id.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
        let later = Identifier.version7(at: Timestamp(milliseconds: 0x017F_22E2_79B1), random: (0, 0))
        #expect(id < later)
        #expect(Identifier.version7(at: Timestamp(milliseconds: -5), random: (0, 0)).high == 0x7000)
    }

    @Test("The same hash gives the same UUIDv8, another hash another")
    func version8() {
        let hash = Hash(of: Array("a".utf8))
        #expect(Identifier.version8(hash) == .version8(hash))
        #expect(Identifier.version8(hash) != .version8(Hash(of: Array("b".utf8))))
    }

    @Test("The order is that of the bytes and of the text")
    func order() {
        var generator = SeededGenerator()
        let ids = (0..<500).map { _ in Identifier(high: generator.next(), low: generator.next()) }.sorted()
        #expect(ids.map(\.description) == ids.map(\.description).sorted(), "\(generator)")
        #expect(Identifier(high: 1, low: 0) > Identifier(high: 0, low: .max))
    }

    @Test("A stream is named after its appointment, and nothing else is a stream")
    func streams() throws {
        let id = try #require(Identifier("0123abcd-4567-89ab-cdef-fedcba987654"))
        #expect(StreamID(id).description == "appointment-0123abcd-4567-89ab-cdef-fedcba987654")
        #expect(StreamID(StreamID(id).description) == StreamID(id))
        for text in ["", "appointment-", id.description, "patient-\(id)", "appointment-\(id) ", "Appointment-\(id)"] {
            #expect(StreamID(text) == nil)
        }
    }
}

@Suite("Hash")
struct HashTests {
    private func hexadecimal(_ hash: Hash) -> String {
        hash.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test(
        "SHA-256 is that of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func digest(message: String, expected: String) {
        #expect(hexadecimal(Hash(of: Array(message.utf8))) == expected)
    }

    @Test("A leaf is hashed as RFC 6962 does: the empty leaf, and that of a known tree")
    func leaf() {
        #expect(hexadecimal(.leaf(of: [])) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
        #expect(hexadecimal(.leaf(of: [0])) == "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7")
        #expect(Hash.leaf(of: [1, 2]) == Hash(of: [0, 1, 2]))
    }

    @Test("HMAC-SHA256 is that of RFC 4231, cases 1, 2 and 6")
    func authentication() {
        let cases: [(key: [UInt8], message: String, expected: String)] = [
            (
                Array(repeating: 0x0B, count: 20), "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                Array(repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ]
        for (key, message, expected) in cases {
            #expect(hexadecimal(.authentication(of: Array(message.utf8), key: key)) == expected)
        }
    }

    @Test("A digest reads back from its bytes and its base64, and from nothing else")
    func text() {
        let hash = Hash(of: Array("abc".utf8))
        #expect(hash.description == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
        #expect(Hash(base64: hash.description) == hash)
        #expect(Hash(bytes: hash.bytes) == hash)
        #expect(Hash(base64: hash.description.dropLast()) == nil)
        #expect(Hash(base64: "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=") == nil)
        #expect(Hash(base64: "AAAA") == nil)
        #expect(Hash(bytes: [UInt8](repeating: 0, count: 31)) == nil)
    }

    @Test("Digests that differ in any one bit differ, also in constant time")
    func equality() throws {
        let hash = Hash(of: [])
        for bit in 0..<256 {
            var bytes = hash.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let other = try #require(Hash(bytes: bytes))
            #expect(other != hash)
            #expect(!other.equalsInConstantTime(hash))
        }
        #expect(hash.equalsInConstantTime(Hash(of: [])))
    }
}

@Suite("Base64")
struct Base64Tests {
    @Test(
        "The vectors of RFC 4648 hold",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(clear: String, text: String) {
        #expect(Base64.encode(Array(clear.utf8)) == text)
        #expect(Base64.decode(text) == Array(clear.utf8))
        let unpadded = String(text.prefix { $0 != "=" })
        #expect(Base64.encodeURLSafe(Array(clear.utf8)) == unpadded)
        #expect(Base64.decodeURLSafe(unpadded) == Array(clear.utf8))
    }

    @Test("The two alphabets differ in two characters and do not read each other")
    func alphabets() {
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8=")
        #expect(Base64.encodeURLSafe([0xFB, 0xFF]) == "-_8")
        #expect(Base64.decode("-_8=") == nil)
        #expect(Base64.decodeURLSafe("+/8") == nil)
    }

    @Test(
        "A text that nobody would write is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm8", "Z===", "====", "=", "Zg==Zg==", "Zm=v", "Zm9v\n", " Zm9v",
            "Zm9\u{0}",
            "Zm9ñ", "Ｚm9v",
        ])
    func refused(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(
        "URL-safe texts with padding, left-over bits or half a byte are refused",
        arguments: ["Zg==", "Zh", "Z", "Zm9vY"])
    func refusedURLSafe(text: String) {
        #expect(Base64.decodeURLSafe(text) == nil)
    }

    @Test("Random bytes read back from both alphabets")
    func random() {
        var generator = SeededGenerator()
        for count in 0..<300 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes, "\(generator)")
            #expect(Base64.decodeURLSafe(Base64.encodeURLSafe(bytes)) == bytes, "\(generator)")
        }
    }
}

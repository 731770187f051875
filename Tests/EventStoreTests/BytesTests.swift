import EventStore
import Testing

/// Hashes, base64 and identifiers against published vectors.
@Suite struct BytesTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    @Test("SHA-256 gives the digests of FIPS 180-4")
    func sha256() {
        #expect(hex(Hash(of: []).bytes) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(Hash(of: Array("abc".utf8)).bytes) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test("a leaf is RFC 6962's: the empty leaf has the published digest")
    func leaf() {
        #expect(
            hex(Hash.leaf(of: []).bytes) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    }

    @Test("HMAC-SHA256 gives the codes of RFC 4231")
    func hmac() {
        let code = Hash.authentication(
            of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(hex(code.bytes) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test(
        "base64 gives the texts of RFC 4648",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(clear: String, text: String) {
        #expect(Base64.encode(Array(clear.utf8)) == text)
        #expect(Base64.decode(text) == Array(clear.utf8))
    }

    @Test(
        "a text that base64 would not have written is refused",
        arguments: ["Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Zg==Zg==", "Zm 9", "Zm-v", "Zm9\n"])
    func notCanonical(text: String) { #expect(Base64.decode(text) == nil) }

    @Test("URL-safe base64 has no padding and reads back")
    func urlSafe() {
        for count in 0..<64 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
            let text = Base64.encodeURLSafe(bytes)
            #expect(!text.contains { "+/=".contains($0) })
            #expect(Base64.decodeURLSafe(text) == bytes)
        }
    }

    @Test("UUIDs carry their version and variant, and version 7 sorts by time")
    func identifiers() throws {
        let all: UInt64 = .max
        #expect(Identifier.version4(random: (all, all)).description == "ffffffff-ffff-4fff-bfff-ffffffffffff")
        #expect(Identifier.version8(Hash(of: [])).description == "e3b0c442-98fc-8c14-9afb-f4c8996fb924")
        let early = Identifier.version7(at: Timestamp(milliseconds: 1000), random: (all, all))
        let late = Identifier.version7(at: Timestamp(milliseconds: 1001), random: (0, 0))
        #expect(early < late)
        #expect(early.description == "00000000-03e8-7fff-bfff-ffffffffffff")
        #expect(Identifier("00000000-03E8-7FFF-BFFF-FFFFFFFFFFFF") == early)
        #expect(Identifier(bytes: early.bytes) == early)
    }

    @Test(
        "what is no UUID is refused",
        arguments: [
            "", "00000000-03e8-7fff-bfff-fffffffffff", "00000000-03e8-7fff-bfff-fffffffffffff",
            "0000000003e87fffbfffffffffffffff", "0000000-003e8-7fff-bfff-ffffffffffff",
            "g0000000-03e8-7fff-bfff-ffffffffffff",
            "{0000000-03e8-7fff-bfff-ffffffffffff}",
        ])
    func noIdentifier(text: String) { #expect(Identifier(text) == nil) }

    @Test("digests are compared in whole")
    func comparison() throws {
        let hash = Hash(of: [1])
        for place in 0..<32 {
            var bytes = hash.bytes
            bytes[place] ^= 1
            let other = try #require(Hash(bytes: bytes))
            #expect(!hash.equalsInConstantTime(other))
            #expect(hash != other)
        }
        #expect(hash.equalsInConstantTime(Hash(of: [1])))
        #expect(Hash(bytes: [1, 2, 3]) == nil)
    }
}

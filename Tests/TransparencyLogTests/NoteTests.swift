import EventStore
import Testing
import TransparencyLog

/// Notes, keys, checkpoints and cosignatures.
@Suite struct NoteTests {
    private static let published = """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """
    private static let publishedKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

    private func kind(_ body: () throws -> Void) -> TransparencyError.Kind? {
        do { try body() } catch { return (error as? TransparencyError)?.kind }
        return nil
    }

    @Test("the note of C2SP signed-note is verified by its key, and comes back byte for byte")
    func example() throws {
        let note = try SignedNote(Array(Self.published.utf8))
        let key = try VerifierKey(Self.publishedKey)
        #expect(key.description == Self.publishedKey && key.type == .ed25519)
        #expect(try note.verified(by: [key]).map(\.key) == [key])
        #expect(note.bytes == Array(Self.published.utf8))
        #expect(note.text == "This is an example message.\n")
    }

    @Test("a note with any single bit flipped is refused")
    func flippedNote() throws {
        let key = try VerifierKey(Self.publishedKey)
        for bytes in flips(of: Array(Self.published.utf8)) {
            #expect(throws: TransparencyError.self) { try SignedNote(bytes).verified(by: [key]) }
        }
    }

    @Test("a verifier key with any single bit flipped is refused, or is another key that did not sign")
    func flippedKey() throws {
        let note = try SignedNote(Array(Self.published.utf8))
        for bytes in flips(of: Array(Self.publishedKey.utf8)) {
            guard let text = String(validating: bytes, as: UTF8.self) else { continue }
            #expect(throws: TransparencyError.self, "\(text)") { try note.verified(by: [try VerifierKey(text)]) }
        }
    }

    @Test(
        "a text that is no verifier key is refused",
        arguments: [
            "", "+", "++", "example.com/foo", "example.com/foo+530d903a", "example.com/foo+530d903a+",
            "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
            " example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
            "example.com/\u{2003}foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        ])
    func badKeys(text: String) { #expect(kind { _ = try VerifierKey(text) } == .malformed) }

    @Test("a key of a type that is not checked here says so")
    func otherType() {
        #expect(kind { _ = try VerifierKey("example.com/foo+530d903a+Bg==") } == .unsupported)
    }

    @Test("a signing key comes back from its line, in the form that Go writes, and signs for its verifier")
    func signingKey() throws {
        for type in [SignatureType.ed25519, .cosignature] {
            let key = try SigningKey(name: "example.com/log", type: type, seed: Array(0..<32))
            #expect(key.secretText.hasPrefix("PRIVATE+KEY+example.com/log+"))
            let read = try SigningKey(secretText: key.secretText)
            #expect(read.verifier == key.verifier && read.secretText == key.secretText)
            let signature = try read.sign("text\n", time: 7)
            #expect(try signature.verified(by: key.verifier, over: "text\n").time == (type == .cosignature ? 7 : nil))
            for bytes in flips(of: Array(key.secretText.utf8)) {
                guard let text = String(validating: bytes, as: UTF8.self) else { continue }
                #expect(throws: TransparencyError.self) { try SigningKey(secretText: text) }
            }
        }
        #expect(kind { _ = try SigningKey(name: "a b", type: .ed25519, seed: Array(0..<32)) } == .malformed)
        #expect(kind { _ = try SigningKey(name: "a", type: .ed25519, seed: Array(0..<31)) } == .malformed)
    }

    @Test("signatures by unknown keys are passed over, a bad one by a known key refuses the note")
    func strangers() throws {
        let (mine, other) = (try Keys.log("log.example/a"), try Keys.log("log.example/b"))
        let text = "log.example/a\nhello\n"
        var note = try SignedNote(text: text)
        try note.add(try other.sign(text))
        #expect(kind { _ = try note.verified(by: [mine.verifier]) } == .unsigned)
        try note.add(try mine.sign(text))
        #expect(try note.verified(by: [mine.verifier]).count == 1)
        #expect(try note.verified(by: [mine.verifier, other.verifier]).count == 2)
        try note.add(NoteSignature(named: mine.verifier, bytes: Array(repeating: 1, count: 64)))
        #expect(kind { _ = try note.verified(by: [mine.verifier]) } == .badSignature)
        // The same name with another key id, and the same id with another name, are strangers.
        let stranger = try SigningKey(name: "log.example/a", type: .ed25519, seed: Array(repeating: 9, count: 32))
        #expect(kind { _ = try note.verified(by: [stranger.verifier]) } == .unsigned)
    }

    @Test("100 signatures are taken, 101 are not")
    func count() throws {
        let key = try Keys.log("log.example/a")
        var note = try SignedNote(text: "hello\n")
        try note.add(try key.sign("hello\n"))
        for number in 1..<100 { try note.add(NoteSignature(line: "stranger\(number)", bytes: [1, 2, 3])) }
        #expect(try SignedNote(note.bytes).verified(by: [key.verifier]).count == 1)
        let one = NoteSignature(line: "stranger", bytes: [1])
        #expect(kind { try note.add(one) } == .tooLarge)
        #expect(kind { _ = try SignedNote(note.bytes + Array(one.line.utf8)) } == .tooLarge)
        #expect(kind { _ = try SignedNote([UInt8](repeating: 0x0A, count: 1_000_001)) } == .tooLarge)
    }

    @Test(
        "bytes that are no note are refused",
        arguments: [
            "", "\n", "\n\n", "text\n", "text\n\n", "text\n\n\n", "text\n— a AAAAAAAA\n", "text\n\n— a AAAAAAAA",
            "text\n\n- a AAAAAAAA\n", "text\n\n—a AAAAAAAA\n", "text\n\n—  AAAAAAAA\n", "text\n\n— a\n",
            "text\n\n— a \n",
            "text\n\n— a AAAAAAAA \n", "text\n\n— a  AAAAAAAA\n", "text\n\n— a AAAAA===\n", "text\n\n— a AAAAAA==\n",
            "text\n\n— a AAAAAAAB=\n", "text\n\n— a+b AAAAAAAA\n", "text\n\n— a\u{00A0}b AAAAAAAA\n",
            "te\txt\n\n— a AAAAAAAA\n", "te\r\n\n— a AAAAAAAA\r\n", "te\u{0}\n\n— a AAAAAAAA\n",
            "text\n\n— a AAAAAAAA\nrest\n", "text\n\n— a AAAA_AAA\n",
        ])
    func badNotes(text: String) { #expect(kind { _ = try SignedNote(Array(text.utf8)) } == .malformed) }

    @Test("a note that is cut anywhere is refused, and so is invalid UTF-8")
    func cut() {
        let bytes = Array(Self.published.utf8)
        for count in 0..<bytes.count { #expect(kind { _ = try SignedNote(bytes.prefix(count)) } == .malformed) }
        #expect(kind { _ = try SignedNote([0xC3, 0x28, 0x0A] + bytes) } == .malformed)
    }

    @Test("the last empty line ends the text")
    func emptyLines() throws {
        let key = try Keys.log("log.example/a")
        let text = "first\n\n— a AAAAAAAA\n\nlast\n"
        var note = try SignedNote(text: text)
        try note.add(try key.sign(text))
        let read = try SignedNote(note.bytes)
        #expect(read.text == text && read.signatures.count == 1)
    }
}

/// Keys that the tests sign with.
enum Keys {
    static func log(_ name: String) throws -> SigningKey {
        try SigningKey(name: name, type: .ed25519, seed: Hash(of: Array(name.utf8)).bytes)
    }

    static func witness(_ name: String) throws -> SigningKey {
        try SigningKey(name: name, type: .cosignature, seed: Hash(of: Array(name.utf8)).bytes)
    }
}

extension NoteSignature {
    /// A signature that nobody made, in the name of a key.
    init(named key: VerifierKey, bytes: [UInt8]) throws {
        self = try Self.lines(Array("— \(key.name) \(Base64.encode(key.idBytes + bytes))\n".utf8))[0]
    }

    /// A signature by a key that nobody knows.
    init(line name: String, bytes: [UInt8]) {
        // The line is written as it has to be, so it reads.
        self = try! Self.lines(Array("— \(name) \(Base64.encode([0, 0, 0, 9] + bytes))\n".utf8))[0]
    }
}

extension VerifierKey {
    fileprivate var idBytes: [UInt8] { withUnsafeBytes(of: id.bigEndian) { Array($0) } }
}

import EventStore

/// A text and the signatures under it (C2SP signed-note, "Format").
///
/// Reading one checks its form only: nothing in it may be believed before `verified(by:)` has returned.
package struct SignedNote: Sendable {
    /// What is signed; it ends in a newline.
    package let text: String
    package private(set) var signatures: [NoteSignature]

    /// The most bytes of a note that are read. Go's note package has the same limit.
    package static let maximumBytes = 1_000_000
    /// The most signatures of a note. C2SP signed-note, "Format", wants 16 to be accepted; Go's limit is this one.
    package static let maximumSignatures = 100

    /// A note to be signed.
    ///
    /// - Throws: `malformed` for a text that does not end in a newline or has another control character.
    package init(text: String, signatures: [NoteSignature] = []) throws(TransparencyError) {
        guard text.utf8.last == 0x0A, Self.isPlain(text.utf8) else {
            throw TransparencyError(
                .malformed, "the text of a note ends in a newline and has no other control character")
        }
        guard signatures.count <= Self.maximumSignatures else { throw Self.tooManySignatures }
        (self.text, self.signatures) = (text, signatures)
    }

    private static func isPlain(_ bytes: some Sequence<UInt8>) -> Bool {
        bytes.allSatisfy { $0 >= 0x20 || $0 == 0x0A }
    }

    private static let tooManySignatures = TransparencyError(
        .tooLarge, "a note has more than \(maximumSignatures) signatures")

    /// Adds a signature below the others. One that stands there already is not added again.
    ///
    /// - Throws: `tooLarge` for more than 100.
    package mutating func add(_ signature: NoteSignature) throws(TransparencyError) {
        if signatures.contains(signature) { return }
        guard signatures.count < Self.maximumSignatures else { throw Self.tooManySignatures }
        signatures.append(signature)
    }
}

// MARK: - Bytes

extension SignedNote {
    /// The note as it is sent and kept.
    package var bytes: [UInt8] {
        var bytes = Array(text.utf8) + [0x0A]
        for signature in signatures { bytes += signature.line.utf8 }
        return bytes
    }

    /// Reads a note.
    ///
    /// - Throws: `tooLarge` for more than 1,000,000 bytes or 100 signatures, `malformed` for anything else that is not
    ///   written as C2SP signed-note, "Format", says.
    package init(_ bytes: some Collection<UInt8>) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a note has more than \(Self.maximumBytes) bytes")
        }
        let bytes = Array(bytes)
        guard Self.isPlain(bytes), bytes.last == 0x0A, let text = String(validating: bytes, as: UTF8.self) else {
            throw TransparencyError(
                .malformed, "a note is UTF-8 that ends in a newline and has no other control character")
        }
        // The text may have empty lines: the last one ends it.
        guard let end = bytes.indices.dropLast().last(where: { bytes[$0] == 0x0A && bytes[$0 + 1] == 0x0A }),
            end + 2 < bytes.count
        else { throw TransparencyError(.malformed, "a note has an empty line, and signatures below it") }
        var lines = LineReader(bytes[(end + 2)...])
        var signatures: [NoteSignature] = []
        while let line = lines.next() {
            guard signatures.count < Self.maximumSignatures else { throw Self.tooManySignatures }
            signatures.append(try NoteSignature(line: line))
        }
        (self.text, self.signatures) = (String(decoding: text.utf8.prefix(end + 1), as: UTF8.self), signatures)
    }
}

// MARK: - Verification

/// A signature that was checked: by whom, and when where it says so.
package struct VerifiedSignature: Sendable {
    package let key: VerifierKey
    package let signature: NoteSignature
    /// Seconds since 1970 in UTC; nil for a signature without a time (C2SP tlog-cosignature, "Format").
    package let time: Int64?
}

extension SignedNote {
    /// The signatures by keys that are trusted, each checked (C2SP signed-note, "Signatures"). Those by other keys are
    /// passed over.
    ///
    /// - Throws: `badSignature` where one is not that of its key, `unsigned` where no key that is trusted stands under
    ///   the text, `malformed` where two of the keys have the same name and id.
    package func verified(by keys: [VerifierKey]) throws(TransparencyError) -> [VerifiedSignature] {
        var verified: [VerifiedSignature] = []
        for signature in signatures {
            let named = keys.filter { signature.isNamed(for: $0) }
            guard let key = named.first else { continue }
            guard named.allSatisfy({ $0 == key }) else {
                throw TransparencyError(.malformed, "two different keys have the name \(key.name) and the same key id")
            }
            verified.append(try signature.verified(by: key, over: text))
        }
        if verified.isEmpty { throw TransparencyError(.unsigned, "no key that is trusted has signed the note") }
        return verified
    }
}

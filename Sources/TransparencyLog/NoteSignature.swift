import EventStore

/// A signature line of a note (C2SP signed-note, "Signatures").
package struct NoteSignature: Sendable {
    /// The name of the key.
    package let name: String
    /// The key id: with the name it says which key this is.
    package let keyID: UInt32
    /// The signature, for a cosignature with its time in front (C2SP tlog-cosignature, "Format").
    package let bytes: [UInt8]

    /// The most bytes of a signature. One of ML-DSA-44 has 2,428 (C2SP tlog-cosignature, "Format").
    static let maximumBytes = 16384
}

extension NoteSignature {
    private static let dash = Array("\u{2014} ".utf8)

    /// The line with its newline.
    package var line: String {
        let id = withUnsafeBytes(of: keyID.bigEndian) { Array($0) }
        return "\u{2014} \(name) \(Base64.encode(id + bytes))\n"
    }

    /// Reads a line without its newline.
    init(line: ArraySlice<UInt8>) throws(TransparencyError) {
        let malformed = TransparencyError(
            .malformed, "a signature line is a dash (U+2014), the name of a key and base64, between single spaces")
        guard line.starts(with: Self.dash) else { throw malformed }
        let parts = line.dropFirst(Self.dash.count)
            .split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let name = String(validating: parts[0], as: UTF8.self), name.isKeyName,
            let content = Base64.decode(String(decoding: parts[1], as: UTF8.self)), content.count > 4
        else { throw malformed }
        guard content.count <= 4 + Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a signature has more than \(Self.maximumBytes) bytes")
        }
        let id = content.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        self.init(name: name, keyID: id, bytes: Array(content.dropFirst(4)))
    }

    /// Reads signature lines, such as the answer of a witness (C2SP tlog-witness, "add-checkpoint").
    ///
    /// - Throws: `malformed` unless there is at least one line and each is a signature, `tooLarge` for more than 100.
    package static func lines(_ bytes: some Collection<UInt8>) throws(TransparencyError) -> [NoteSignature] {
        var (lines, signatures) = (LineReader(bytes), [NoteSignature]())
        while let line = lines.next() {
            guard signatures.count < SignedNote.maximumSignatures else {
                throw TransparencyError(.tooLarge, "there are more than \(SignedNote.maximumSignatures) signatures")
            }
            signatures.append(try NoteSignature(line: line))
        }
        guard lines.isAtEnd, !signatures.isEmpty else {
            throw TransparencyError(.malformed, "signature lines end in a newline each, and there is at least one")
        }
        return signatures
    }
}

extension NoteSignature: Equatable {
    package static func == (left: NoteSignature, right: NoteSignature) -> Bool {
        left.name.hasBytes(of: right.name) && left.keyID == right.keyID && left.bytes == right.bytes
    }

    /// Whether its name and key id are those of a key.
    func isNamed(for key: VerifierKey) -> Bool { keyID == key.id && name.hasBytes(of: key.name) }
}

// MARK: - Making and checking one

extension VerifierKey {
    /// The bytes that this key signs to sign a text: the text (C2SP signed-note, "Ed25519 signatures"), or for a
    /// cosignature a header, the time and the text (C2SP tlog-cosignature, "Ed25519 signed message").
    ///
    /// - Parameter time: seconds since 1970 in UTC; a plain signature has none.
    package func message(for text: String, time: Int64 = 0) -> [UInt8] {
        switch type {
        case .ed25519: Array(text.utf8)
        case .cosignature: Array("cosignature/v1\ntime \(time)\n\(text)".utf8)
        }
    }
}

extension NoteSignature {
    /// The line for a signature that somebody made over `key.message(for: text, time: time)`. It is checked.
    ///
    /// - Throws: `badSignature` where it is not that of the key, or a cosignature's time lies before 1970.
    package init(
        _ signature: [UInt8], by key: VerifierKey, over text: String, time: Int64 = 0
    ) throws(TransparencyError) {
        var bytes = signature
        if key.type == .cosignature { bytes = withUnsafeBytes(of: time.bigEndian) { Array($0) } + signature }
        self.init(name: key.name, keyID: key.id, bytes: bytes)
        _ = try verified(by: key, over: text)
    }

    /// Checks the signature against the key that it names.
    ///
    /// - Throws: `badSignature`.
    package func verified(by key: VerifierKey, over text: String) throws(TransparencyError) -> VerifiedSignature {
        let bad = TransparencyError(.badSignature, "a signature under the note is not that of its key \(key.name)")
        guard isNamed(for: key) else { throw bad }
        switch key.type {
        case .ed25519:
            guard bytes.count == 64, key.isSignature(bytes, of: key.message(for: text)) else { throw bad }
            return VerifiedSignature(key: key, signature: self, time: nil)
        case .cosignature:
            // C2SP tlog-cosignature, "Format": the time is at most 2^63 - 1.
            let time = Int64(exactly: bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            guard bytes.count == 72, let time,
                key.isSignature(bytes.dropFirst(8), of: key.message(for: text, time: time))
            else { throw bad }
            return VerifiedSignature(key: key, signature: self, time: time)
        }
    }
}

extension SigningKey {
    /// Signs a text.
    ///
    /// - Parameter time: seconds since 1970 in UTC, for a cosignature; a plain signature has none.
    package func sign(_ text: String, time: Int64 = 0) throws -> NoteSignature {
        let signature = try signature(of: verifier.message(for: text, time: time))
        return try NoteSignature(signature, by: verifier, over: text, time: time)
    }
}

package import EventStore

/// What a log says of itself at a moment: how many leaves it has, and their root (C2SP tlog-checkpoint, "Note text").
package struct Checkpoint: Sendable {
    /// Which log this is.
    package let origin: String
    /// The number of leaves.
    package let size: Int
    /// The root of the tree of these leaves (RFC 6962 section 2.1).
    package let root: Hash
    /// Lines after these three. Ours has none: C2SP tlog-checkpoint, "Note text", advises against them.
    package let extensions: [String]

    /// The most bytes of an origin. The limit is ours.
    package static let maximumOriginBytes = 255
    /// The most lines after the first three. The limit is ours.
    static let maximumExtensions = 64

    /// A checkpoint.
    ///
    /// - Throws: `malformed` for a negative size, and for an origin or a line that is empty, too long, or has a control
    ///   character.
    package init(origin: String, size: Int, root: Hash, extensions: [String] = []) throws(TransparencyError) {
        guard size >= 0, !origin.isEmpty, origin.utf8.count <= Self.maximumOriginBytes,
            extensions.count <= Self.maximumExtensions,
            ([origin] + extensions).allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 >= 0x20 } })
        else {
            throw TransparencyError(
                .malformed, "a checkpoint has an origin of 1 to \(Self.maximumOriginBytes) bytes in one line and a size"
            )
        }
        (self.origin, self.size, self.root, self.extensions) = (origin, size, root, extensions)
    }

    /// The text that is signed.
    package var text: String {
        ([origin, String(size), root.description] + extensions).map { $0 + "\n" }.joined()
    }

    /// Reads the text of a note.
    ///
    /// - Throws: `malformed` for any other text.
    package init(text: String) throws(TransparencyError) {
        var (lines, read) = (LineReader(text.utf8), [String]())
        while read.count < 3 + Self.maximumExtensions, let line = lines.next() {
            guard let line = String(validating: line, as: UTF8.self) else { break }
            read.append(line)
        }
        guard lines.isAtEnd, read.count >= 3, let size = read[1].utf8.decimal, let root = Hash(base64: read[2]) else {
            throw TransparencyError(
                .malformed, "a checkpoint has the lines origin, size and root, each ended by a newline")
        }
        try self.init(origin: read[0], size: size, root: root, extensions: Array(read[3...]))
    }
}

extension Checkpoint: Equatable {
    package static func == (left: Checkpoint, right: Checkpoint) -> Bool { left.text.hasBytes(of: right.text) }

    /// Whether it speaks of the log that a key belongs to: the origin is the name of the key (C2SP tlog-policy,
    /// "Defining a log").
    package func belongs(to key: VerifierKey) -> Bool { origin.hasBytes(of: key.name) }
}

// MARK: - Signed

/// A checkpoint with the note that signs it, checked.
package struct SignedCheckpoint: Sendable {
    package let checkpoint: Checkpoint
    package let note: SignedNote
    /// The signatures by keys that are trusted: the log's, and those of witnesses.
    package let signatures: [VerifiedSignature]

    /// Reads a checkpoint that its log has signed (C2SP tlog-checkpoint, "Signatures").
    ///
    /// - Parameter keys: the log's keys, of which one at least has signed, and is named like the origin.
    /// - Parameter others: keys of witnesses whose signatures are checked where they stand.
    /// - Throws: `malformed`, `tooLarge`, `badSignature`; `unsigned` where no key of this log has signed it.
    package init(
        _ note: SignedNote, by keys: [VerifierKey], others: [VerifierKey] = []
    ) throws(TransparencyError) {
        let signatures = try note.verified(by: keys + others)
        let checkpoint = try Checkpoint(text: note.text)
        guard signatures.contains(where: { keys.contains($0.key) && checkpoint.belongs(to: $0.key) }) else {
            throw TransparencyError(
                .unsigned, "no trusted key of the log \(checkpoint.origin) has signed its checkpoint")
        }
        (self.checkpoint, self.note, self.signatures) = (checkpoint, note, signatures)
    }
}

package import EventStore

/// That an entry is in a log, checkable without asking anybody (C2SP tlog-proof, "Format").
package struct LogProof: Sendable {
    /// What the application added. Nobody has signed it: never believe it.
    package let extra: [UInt8]?
    /// The place of the leaf in the log, counted from 0.
    package let index: Int
    /// From the leaf's sibling upward (RFC 9162 section 2.1.3.1).
    package let hashes: [Hash]
    /// The checkpoint with its signatures.
    package let note: SignedNote

    private static let firstLine = "c2sp.org/tlog-proof@v1"
    /// The most bytes of what the application adds. The limit is ours.
    package static let maximumExtraBytes = 65536
    /// The most bytes of a proof that are read.
    package static let maximumBytes = SignedNote.maximumBytes + 2 * maximumExtraBytes

    package init(index: Int, hashes: [Hash], note: SignedNote, extra: [UInt8]? = nil) {
        (self.extra, self.index, self.hashes, self.note) = (extra, index, hashes, note)
    }
}

extension LogProof {
    /// The proof as it is sent and kept.
    package var bytes: [UInt8] {
        var text = Self.firstLine + "\n"
        if let extra { text += "extra \(Base64.encode(extra))\n" }
        text += "index \(index)\n"
        for hash in hashes { text += "\(hash)\n" }
        return Array(text.utf8) + [0x0A] + note.bytes
    }

    /// Reads a proof; it is not checked yet.
    ///
    /// - Throws: `tooLarge`; `malformed` for bytes that are not written as C2SP tlog-proof, "Format", says.
    package init(_ bytes: some Collection<UInt8>) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a proof has more than \(Self.maximumBytes) bytes")
        }
        var lines = LineReader(bytes)
        guard let first = lines.next(), first.elementsEqual(Self.firstLine.utf8), var line = lines.next() else {
            throw TransparencyError(.malformed, "a proof begins with the line \(Self.firstLine)")
        }
        var extra: [UInt8]?
        if let text = line.after("extra ") {
            guard let content = Base64.decode(String(decoding: text, as: UTF8.self)), let next = lines.next() else {
                throw TransparencyError(.malformed, "what stands after extra in a proof is no base64")
            }
            guard content.count <= Self.maximumExtraBytes else {
                throw TransparencyError(.tooLarge, "extra in a proof has more than \(Self.maximumExtraBytes) bytes")
            }
            (extra, line) = (content, next)
        }
        guard let index = line.after("index ")?.decimal else {
            throw TransparencyError(.malformed, "a proof lacks its line index N")
        }
        guard let hashes = lines.hashes(limit: TreeProof.maximumHashes) else {
            throw TransparencyError(
                .malformed, "a proof has at most \(TreeProof.maximumHashes) lines of a hash each, then an empty line")
        }
        self.init(index: index, hashes: hashes, note: try SignedNote(lines.remainder), extra: extra)
    }

    /// Checks the proof (C2SP tlog-proof, "Verifying a tlog proof").
    ///
    /// - Parameter leaf: the hash of the entry that should be in the log (RFC 6962 section 2.1).
    /// - Returns: which checkpoint the entry is in, and who signed it.
    /// - Throws: what the policy says of the checkpoint; `unproven` where the proof does not lead to its root.
    @discardableResult
    package func verify(_ leaf: Hash, by policy: TrustPolicy) throws(TransparencyError) -> TrustedCheckpoint {
        let trusted = try policy.judge(note)
        let (size, root) = (trusted.checkpoint.size, trusted.checkpoint.root)
        guard TreeProof.includes(leaf, index: index, size: size, root: root, proof: hashes) else {
            throw TransparencyError(
                .unproven, "the proof does not lead from the entry to the root at size \(size): it is not in this log")
        }
        return trusted
    }
}

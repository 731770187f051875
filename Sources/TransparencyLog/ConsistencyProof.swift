package import EventStore

/// That a log goes on from a state that somebody has seen, checkable without asking anybody. The format is ours: the
/// line `appointment-ledger/consistency@v1`, a line `old SIZE ROOT`, the hashes of the proof (RFC 9162 section 2.1.4.1)
/// one a line, an empty line, and the checkpoint of the newer state.
package struct ConsistencyProof: Sendable {
    /// The older size.
    package let oldSize: Int
    /// The root at the older size. Nobody has signed it here: compare it with the one that you have.
    package let oldRoot: Hash
    package let hashes: [Hash]
    /// The newer checkpoint with its signatures.
    package let note: SignedNote

    private static let firstLine = "appointment-ledger/consistency@v1"
    /// The most bytes of a proof that are read.
    package static let maximumBytes = SignedNote.maximumBytes + 4096

    package init(oldSize: Int, oldRoot: Hash, hashes: [Hash], note: SignedNote) {
        (self.oldSize, self.oldRoot, self.hashes, self.note) = (oldSize, oldRoot, hashes, note)
    }
}

extension ConsistencyProof {
    /// The proof as it is sent and kept.
    package var bytes: [UInt8] {
        var text = "\(Self.firstLine)\nold \(oldSize) \(oldRoot)\n"
        for hash in hashes { text += "\(hash)\n" }
        return Array(text.utf8) + [0x0A] + note.bytes
    }

    /// Reads a proof; it is not checked yet.
    ///
    /// - Throws: `tooLarge`, `malformed`.
    package init(_ bytes: some Collection<UInt8>) throws(TransparencyError) {
        guard bytes.count <= Self.maximumBytes else {
            throw TransparencyError(.tooLarge, "a proof has more than \(Self.maximumBytes) bytes")
        }
        var lines = LineReader(bytes)
        guard let first = lines.next(), first.elementsEqual(Self.firstLine.utf8) else {
            throw TransparencyError(.malformed, "a proof of consistency begins with the line \(Self.firstLine)")
        }
        let parts = lines.next()?.after("old ")?
            .split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
        guard let parts, parts.count == 2, let oldSize = parts[0].decimal,
            let oldRoot = Hash(base64: String(decoding: parts[1], as: UTF8.self))
        else { throw TransparencyError(.malformed, "a proof of consistency lacks its line old SIZE ROOT") }
        guard let hashes = lines.hashes(limit: TreeProof.maximumHashes) else {
            throw TransparencyError(
                .malformed, "a proof has at most \(TreeProof.maximumHashes) lines of a hash each, then an empty line")
        }
        self.init(oldSize: oldSize, oldRoot: oldRoot, hashes: hashes, note: try SignedNote(lines.remainder))
    }

    /// Checks that the log of the checkpoint goes on from the older size and root (RFC 9162 section 2.1.4.2). Any tree
    /// goes on from the empty one.
    ///
    /// - Throws: what the policy says of the checkpoint; `unproven` where the proof does not hold.
    @discardableResult
    package func verify(by policy: TrustPolicy) throws(TransparencyError) -> TrustedCheckpoint {
        let trusted = try policy.judge(note)
        let (size, root) = (trusted.checkpoint.size, trusted.checkpoint.root)
        let holds =
            oldSize == 0
            ? hashes.isEmpty && oldRoot == MerkleTree.emptyRoot
            : TreeProof.connects((oldSize, oldRoot), to: (size, root), proof: hashes)
        guard holds else {
            throw TransparencyError(
                .unproven, "the proof does not show that the log of size \(size) goes on from size \(oldSize)")
        }
        return trusted
    }
}

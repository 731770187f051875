package import EventStore

/// Where a stream ends: its last version and the leaf of that. All heads of a log, sorted by stream, are the leaves of
/// its heads tree, which shows that a history lacks nothing at its end. The format is ours.
package struct Head: Hashable, Sendable {
    package let stream: StreamID
    /// The last version: 1 or more.
    package let version: Int
    /// The leaf of the entry of that version.
    package let leaf: Hash

    package init(stream: StreamID, version: Int, leaf: Hash) {
        (self.stream, self.version, self.leaf) = (stream, version, leaf)
    }

    /// `appointment-UUID|VERSION|LEAF` with the leaf in base64: what is hashed as a leaf of the heads tree.
    package var line: String { String(decoding: lineBytes, as: UTF8.self) }

    /// The most bytes of a line: the name, 19 digits, 44 characters and two bars are fewer.
    private static let maximumBytes = 128

    private var lineBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.maximumBytes)
        bytes.append(contentsOf: stream.description.utf8)
        bytes.append(UInt8(ascii: "|"))
        bytes.append(contentsOf: String(version).utf8)
        bytes.append(UInt8(ascii: "|"))
        leaf.appendBase64(to: &bytes)
        return bytes
    }

    /// Its leaf in the heads tree (RFC 6962 section 2.1).
    package var hash: Hash { Hash.leaf(of: lineBytes) }

    /// Reads a line; nil for any text that `line` would not have written.
    package init?(line: some StringProtocol) {
        guard line.utf8.count <= Self.maximumBytes else { return nil }
        let parts = line.utf8.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        guard parts.count == 3, let stream = StreamID(String(decoding: parts[0], as: UTF8.self)),
            let version = parts[1].decimal, version > 0,
            let leaf = Hash(base64: String(decoding: parts[2], as: UTF8.self))
        else { return nil }
        self.init(stream: stream, version: version, leaf: leaf)
        // Names of streams are read in one way only, or two texts would be one head.
        guard self.line.utf8.elementsEqual(line.utf8) else { return nil }
    }
}

/// A head and its place in the heads tree, with the proof.
package struct ProvenHead: Sendable, Equatable {
    /// Its place among all heads, counted from 0.
    package let index: Int
    package let head: Head
    /// The inclusion proof in the heads tree (RFC 9162 section 2.1.3.1).
    package let proof: [Hash]

    package init(index: Int, head: Head, proof: [Hash]) { (self.index, self.head, self.proof) = (index, head, proof) }
}

/// What a heads tree says of a stream.
package enum HeadAnswer: Sendable, Equatable {
    /// It ends so.
    case present(ProvenHead)
    /// It is not there: its two neighbours follow each other, or the only one stands at an end. An empty tree has none.
    case absent([ProvenHead])
}

// MARK: - Verification

extension HeadAnswer {
    /// Whether this is proved of a stream, against a heads tree of so many streams and this root.
    package func isProven(of stream: StreamID, size: Int, root: Hash) -> Bool {
        switch self {
        case .present(let head):
            return head.head.stream == stream && head.isIncluded(size, root)
        case .absent(let neighbours):
            guard neighbours.allSatisfy({ $0.isIncluded(size, root) }) else { return false }
            switch (neighbours.first, neighbours.count) {
            case (nil, _): return size == 0 && root == MerkleTree.emptyRoot
            case (let only?, 1):
                return only.index == 0 && stream < only.head.stream
                    || only.index == size - 1 && only.head.stream < stream
            case (let before?, 2):
                let after = neighbours[1]
                // Both are in the tree, so neither index is near the end of the numbers.
                return after.index == before.index + 1 && before.head.stream < stream && stream < after.head.stream
            default: return false
            }
        }
    }
}

extension ProvenHead {
    fileprivate func isIncluded(_ size: Int, _ root: Hash) -> Bool {
        TreeProof.includes(head.hash, index: index, size: size, root: root, proof: proof)
    }
}

// MARK: - The note

/// What the note over the heads tree says: a checkpoint of the log `ORIGIN/heads` with the line `size N`, which names
/// the size of the log that these heads are of.
package struct HeadsCheckpoint: Sendable {
    /// The origin of the log itself.
    package let origin: String
    /// The number of leaves that the log had.
    package let logSize: Int
    /// The number of streams.
    package let size: Int
    /// The root of the heads tree (RFC 6962 section 2.1).
    package let root: Hash

    private static let suffix = "/heads"

    package init(origin: String, logSize: Int, size: Int, root: Hash) {
        (self.origin, self.logSize, self.size, self.root) = (origin, logSize, size, root)
    }

    /// The checkpoint that is signed.
    ///
    /// - Throws: `malformed` for an origin that no checkpoint may have, and for negative sizes.
    package func checkpoint() throws(TransparencyError) -> Checkpoint {
        guard logSize >= 0 else { throw Self.malformed }
        return try Checkpoint(
            origin: origin + Self.suffix, size: size, root: root, extensions: ["size \(logSize)"])
    }

    /// Reads the text of a note.
    ///
    /// - Throws: `malformed`.
    package init(text: String) throws(TransparencyError) {
        let checkpoint = try Checkpoint(text: text)
        let suffix = Array(Self.suffix.utf8)
        guard checkpoint.origin.utf8.suffix(suffix.count).elementsEqual(suffix),
            checkpoint.extensions.count == 1,
            let logSize = Array(checkpoint.extensions[0].utf8).after("size ")?.decimal
        else { throw Self.malformed }
        self.init(
            origin: String(decoding: checkpoint.origin.utf8.dropLast(suffix.count), as: UTF8.self),
            logSize: logSize, size: checkpoint.size, root: checkpoint.root)
    }

    private static let malformed = TransparencyError(
        .malformed, "the note over the heads has the lines ORIGIN/heads, the number of streams, the root, and size N")
}

package import EventStore

/// The right edge of a Merkle tree (RFC 6962 section 2.1): the roots of its largest complete subtrees, from the left.
///
/// It is all that is needed to take in one more leaf and to know the root, so it is what an engine keeps in a row.
package struct Frontier: Equatable, Sendable {
    /// The number of leaves.
    package private(set) var size: Int
    /// One root for each bit of `size` that is set, the largest subtree first.
    package private(set) var hashes: [Hash]

    /// The tree without a leaf.
    package init() { (size, hashes) = (0, []) }

    /// The frontier with these roots; nil unless there is one for each bit of the size.
    package init?(size: Int, hashes: [Hash]) {
        guard size >= 0, hashes.count == size.nonzeroBitCount else { return nil }
        (self.size, self.hashes) = (size, hashes)
    }

    /// Takes in the next leaf.
    ///
    /// - Parameter completed: called with each hash that tiles of C2SP tlog-tiles, "Merkle Tree", hold above level 0
    ///   and that is known from now on: the root of 256 leaves, of 256 of those, and so on. It never changes again.
    package mutating func append<Failure: Error>(
        _ leaf: Hash, completed: (TreeHash) throws(Failure) -> Void
    ) throws(Failure) {
        var (node, index, height) = (leaf, size, 0)
        while index & 1 == 1 {
            // Each bit that is set has its root, so there is one to take.
            node = Hash.node(hashes.removeLast(), node)
            index >>= 1
            height += 1
            if height & 7 == 0 { try completed(TreeHash(level: height >> 3, index: index, hash: node)) }
        }
        hashes.append(node)
        size += 1
    }

    /// Takes in the next leaf where nobody stores the hashes of tiles.
    package mutating func append(_ leaf: Hash) { append(leaf) { _ in } }

    /// The root of the whole tree; that of the empty one is `SHA-256("")` (RFC 6962 section 2.1).
    package var root: Hash { MerkleTree.root(joining: hashes) }
}

/// A hash of a tile above level 0, as an engine stores it: the root of 256 hashes of the level below.
package struct TreeHash: Hashable, Sendable {
    /// The level of the tile that holds it: 1 for the root of 256 leaves.
    package let level: Int
    /// Its place in the level, counted from 0.
    package let index: Int
    package let hash: Hash

    package init(level: Int, index: Int, hash: Hash) { (self.level, self.index, self.hash) = (level, index, hash) }
}

/// What RFC 6962 section 2.1 says of hashes of trees.
package enum MerkleTree {
    /// The root of the tree without a leaf (RFC 6962 section 2.1).
    package static let emptyRoot = Hash(of: [])

    /// The root over neighbouring subtrees, of which each is larger than the next (RFC 6962 section 2.1: the
    /// split is the largest power of two that is smaller than the size).
    static func root(joining subtrees: some BidirectionalCollection<Hash>) -> Hash {
        guard var root = subtrees.last else { return emptyRoot }
        for subtree in subtrees.dropLast().reversed() { root = Hash.node(subtree, root) }
        return root
    }

    /// The root over as many hashes as a power of two.
    package static func root(over hashes: ArraySlice<Hash>) -> Hash {
        var level = Array(hashes)
        while level.count > 1 {
            for index in 0..<(level.count / 2) { level[index] = Hash.node(level[2 * index], level[2 * index + 1]) }
            level.removeLast(level.count / 2)
        }
        return level.first ?? emptyRoot
    }
}

// MARK: - In a row

extension Frontier {
    /// The frontier as bytes: the size, eight bytes, big endian, and the roots, 32 bytes each. The format is ours.
    package var bytes: [UInt8] {
        var bytes = withUnsafeBytes(of: UInt64(size).bigEndian) { Array($0) }
        bytes.reserveCapacity(8 + 32 * hashes.count)
        for hash in hashes { hash.withBytes { bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// Reads what `bytes` wrote; nil for any other bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count >= 8, bytes.count <= 8 + 32 * 63 else { return nil }
        let bytes = Array(bytes)
        let size = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let size = Int(exactly: size), bytes.count == 8 + 32 * size.nonzeroBitCount else { return nil }
        // An engine reads one with each transaction.
        let hashes = bytes.withUnsafeBytes { bytes in
            stride(from: 8, to: bytes.count, by: 32).compactMap { start in
                Hash(raw: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + 32)]))
            }
        }
        self.init(size: size, hashes: hashes)
    }
}

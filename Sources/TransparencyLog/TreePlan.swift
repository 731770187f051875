package import EventStore

/// Hashes that follow each other in one tile of C2SP tlog-tiles, "Merkle Tree": level 0 holds the leaves, level 1
/// the roots of 256 leaves each, level 2 the roots of 256 of those.
package struct HashRange: Hashable, Sendable {
    package let level: Int
    /// The place of the first hash in its level, counted from 0.
    package let start: Int
    /// How many hashes: 1 to 256, all in one tile.
    package let count: Int

    package init(level: Int, start: Int, count: Int) { (self.level, self.start, self.count) = (level, start, count) }

    /// The tile that holds them in a tree of this size, for whoever reads them from a server.
    package func tile(ofSize size: Int) -> TilePath? { TilePath.tile(level: level, index: start / 256, ofSize: size) }
}

/// Which stored hashes a root or a proof is made from, and how.
///
/// An engine stores the leaves and the hashes that `Frontier.append` reports. A plan names what to read of them, at
/// most one range a tile, and makes the answer from what was read: the reading is the engine's, with or without
/// waiting.
package struct TreePlan: Sendable {
    /// A complete subtree: `2^height` leaves from `index · 2^height` on.
    private struct Node {
        let height: Int
        let index: Int

        /// The stored hashes below it, in the lowest tile that it is the root of a part of.
        var range: HashRange {
            HashRange(level: height / 8, start: index << (height % 8), count: 1 << (height % 8))
        }
    }

    /// What to read, from the lowest level up.
    package let reads: [HashRange]
    /// For each hash of the answer, the subtrees that it is the root over.
    private let parts: [[Node]]

    private init(_ parts: [Range<Int>]) { self.init(parts: parts.map(Self.subtrees)) }

    private init(parts: [[Node]]) {
        self.parts = parts
        var reads: [HashRange] = []
        for range in parts.joined().map(\.range) {
            guard let place = Self.place(of: range, in: reads) else {
                reads.append(range)
                continue
            }
            let (read, start) = (reads[place], min(reads[place].start, range.start))
            let end = max(read.start + read.count, range.start + range.count)
            reads[place] = HashRange(level: read.level, start: start, count: end - start)
        }
        self.reads = reads.sorted { ($0.level, $0.start) < ($1.level, $1.start) }
    }

    /// Where some ranges, of which there are as few as tiles, have one of the same tile.
    private static func place(of range: HashRange, in reads: [HashRange]) -> Int? {
        reads.firstIndex { $0.level == range.level && $0.start >> 8 == range.start >> 8 }
    }

    /// The complete subtrees that some leaves are made of, the largest first. Ranges of RFC 6962 begin where their
    /// largest subtree may begin.
    private static func subtrees(of leaves: Range<Int>) -> [Node] {
        var (nodes, start): ([Node], Int) = ([], leaves.lowerBound)
        while start < leaves.upperBound {
            let height = Int.bitWidth - 1 - (leaves.upperBound - start).leadingZeroBitCount
            nodes.append(Node(height: height, index: start >> height))
            start += 1 << height
        }
        return nodes
    }

    /// The largest power of two that is smaller than a size of at least 2 (RFC 6962 section 2.1).
    private static func split(_ size: Int) -> Int { 1 << (Int.bitWidth - 1 - (size - 1).leadingZeroBitCount) }
}

// MARK: - What can be asked

extension TreePlan {
    /// The root of the tree of the first `size` leaves (RFC 6962 section 2.1).
    ///
    /// - Precondition: the size is not negative.
    package static func root(ofSize size: Int) -> TreePlan { TreePlan([0..<size]) }

    /// The roots that a `Frontier` of this size has.
    ///
    /// - Precondition: the size is not negative.
    package static func frontier(ofSize size: Int) -> TreePlan {
        TreePlan(parts: subtrees(of: 0..<size).map { [$0] })
    }

    /// The inclusion proof of a leaf (RFC 9162 section 2.1.3.1), the leaf's sibling first; nil for an index outside the
    /// tree.
    package static func inclusion(of index: Int, inSize size: Int) -> TreePlan? {
        guard index >= 0, index < size else { return nil }
        var (path, range): ([Range<Int>], Range<Int>) = ([], 0..<size)
        while range.count > 1 {
            let middle = range.lowerBound + split(range.count)
            let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
            path.append(index < middle ? right : left)
            range = index < middle ? left : right
        }
        return TreePlan(path.reversed())
    }

    /// The consistency proof between two sizes (RFC 9162 section 2.1.4.1); nil unless `0 < old <= new`. Between equal
    /// sizes it is empty.
    package static func consistency(from old: Int, to new: Int) -> TreePlan? {
        guard old > 0, old <= new else { return nil }
        var (path, range): ([Range<Int>], Range<Int>) = ([], 0..<new)
        while old != range.upperBound {
            let middle = range.lowerBound + split(range.count)
            let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
            path.append(old <= middle ? right : left)
            range = old <= middle ? left : right
        }
        // Where it never went right, the last part is the whole old tree, whose root the verifier has.
        if range.lowerBound > 0 { path.append(range) }
        return TreePlan(path.reversed())
    }
}

// MARK: - The answer

extension TreePlan {
    /// The hashes of the answer, from what was read.
    ///
    /// - Parameter answers: for each of `reads` its hashes.
    /// - Throws: `malformed` where there are more or fewer of them.
    package func hashes(from answers: [[Hash]]) throws(TransparencyError) -> [Hash] {
        guard answers.count == reads.count, zip(answers, reads).allSatisfy({ $0.count == $1.count }) else {
            throw TransparencyError(.malformed, "the store does not have all hashes of the tree: verify it")
        }
        return parts.map { nodes in
            MerkleTree.root(
                joining: nodes.map { node in
                    let range = node.range
                    // Every node's tile is among the reads: they were made from the nodes.
                    guard let place = Self.place(of: range, in: reads) else { return MerkleTree.emptyRoot }
                    let first = range.start - reads[place].start
                    return MerkleTree.root(over: answers[place][first..<(first + range.count)])
                })
        }
    }

    /// The hashes of the answer, read by a function that does not wait.
    package func hashes(reading read: (HashRange) throws -> [Hash]) throws -> [Hash] {
        try hashes(from: try reads.map(read))
    }
}

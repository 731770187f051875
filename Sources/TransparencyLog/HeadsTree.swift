package import EventStore

/// The Merkle tree over the heads of all streams (RFC 6962 section 2.1 over the lines of `Head`, sorted by stream).
///
/// It keeps the heads and the roots of complete tiles above them, and hashes the 256 lines around an answer again: so a
/// million streams cost little more than the heads themselves.
package struct HeadsTree: Sendable {
    /// Sorted by stream.
    package private(set) var heads: [Head] = []
    /// The hashes of the levels from 1 on (C2SP tlog-tiles, "Merkle Tree").
    private var levels: [[Hash]] = []

    /// The tree of the first events of a log, whose heads are given in any order.
    ///
    /// - Throws: `malformed` where two heads are of one stream.
    package init(_ heads: [Head] = []) throws(TransparencyError) {
        self.heads = heads.sorted { $0.stream < $1.stream }
        guard zip(self.heads, self.heads.dropFirst()).allSatisfy({ $0.stream != $1.stream }) else {
            throw TransparencyError(.malformed, "two heads are of one stream")
        }
        rehash([], from: 0)
    }

    /// The number of streams.
    package var size: Int { heads.count }

    /// The root of the tree.
    package var root: Hash { hashes(TreePlan.root(ofSize: size)).first ?? MerkleTree.emptyRoot }

    /// What the tree says of a stream, with the proof.
    package func answer(for stream: StreamID) -> HeadAnswer {
        let place = place(of: stream)
        if place < size, heads[place].stream == stream { return .present(proven(place)) }
        return .absent([place - 1, place].filter(heads.indices.contains).map(proven))
    }

    private func proven(_ index: Int) -> ProvenHead {
        ProvenHead(
            index: index, head: heads[index], proof: TreePlan.inclusion(of: index, inSize: size).map(hashes) ?? [])
    }

    /// How many heads are of streams before this one.
    private func place(of stream: StreamID) -> Int {
        var (low, high) = (0, heads.count)
        while low < high {
            let middle = low + (high - low) / 2
            if heads[middle].stream < stream { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func hashes(_ plan: TreePlan) -> [Hash] {
        let answers = plan.reads.map { read in
            let places = read.start..<(read.start + read.count)
            return read.level == 0 ? heads[places].map(\.hash) : Array(levels[read.level - 1][places])
        }
        do throws(TransparencyError) {
            return try plan.hashes(from: answers)
        } catch {
            preconditionFailure("every range was read as long as the plan wants it: \(error)")
        }
    }
}

// MARK: - Growing

extension HeadsTree {
    /// Takes in heads that are further than those here, or of new streams. Only what they change is hashed again; a new
    /// stream moves all after it, and streams are named by time for the most part, so these are few.
    package mutating func update(_ changes: [Head]) {
        var (changed, added): (Set<Int>, [StreamID: Head]) = ([], [:])
        for head in changes {
            let place = place(of: head.stream)
            if place < size, heads[place].stream == head.stream {
                heads[place] = head
                changed.insert(place / 256)
            } else {
                added[head.stream] = head
            }
        }
        guard let first = added.keys.min().map(place) else { return rehash(changed, from: size) }
        let tail = (heads[first...] + added.values).sorted { $0.stream < $1.stream }
        heads.replaceSubrange(first..., with: tail)
        rehash(changed, from: first)
    }

    /// Hashes complete tiles again: those at some places, and all that hold a head from a place on.
    private mutating func rehash(_ changed: Set<Int>, from start: Int) {
        var (changed, first, level) = (changed, start / 256, 0)
        while true {
            let count = TilePath.hashes(onLevel: level + 1, ofSize: size)
            guard count > 0 else { return }
            if levels.count == level { levels.append([]) }
            let kept = min(first, levels[level].count)
            var hashes = Array(levels[level][..<kept])
            for tile in kept..<max(kept, count) { hashes.append(root(ofTile: tile, level: level)) }
            for tile in changed where tile < kept { hashes[tile] = root(ofTile: tile, level: level) }
            levels[level] = hashes
            changed = Set(changed.map { $0 / 256 })
            (first, level) = (kept / 256, level + 1)
        }
    }

    private func root(ofTile tile: Int, level: Int) -> Hash {
        let places = (256 * tile)..<(256 * tile + 256)
        return MerkleTree.root(over: level == 0 ? heads[places].map(\.hash)[...] : levels[level - 1][places])
    }
}

package import EventStore
import TransparencyLog

/// What was signed of the log, such as its checkpoints, for `verify` to compare with the tree that the entries make.
package protocol SignedStates: Sendable {
    /// The sizes at which something was signed.
    ///
    /// - Throws: `unavailable`; `corrupt` when what was signed can't be read.
    func sizes() async throws(EventStoreError) -> [Int]

    /// What contradicts the entries.
    ///
    /// - Parameters:
    ///   - roots: the root at each of those sizes, recomputed from the entries. A size that the log has not come to, or
    ///     whose entries can't be read, is missing.
    ///   - size: how many entries the log has.
    /// - Throws: `unavailable`.
    func findings(roots: [Int: Hash], size: Int) async throws(EventStoreError) -> [Finding]
}

/// The tree that the entries make, compared with what is stored of it. It takes in one leaf after the other, and holds
/// only the leaves of the last tiles and the roots of the others.
struct LogCheck {
    private let tree: any StoredTree
    private let signed: (any SignedStates)?
    /// How far the tree had come before the first event was read.
    private let edge: StoredEdge
    private var frontier = Frontier()
    /// The leaves of the tiles from `compared` on.
    private var leaves: [Hash] = []
    /// How many tiles of level 0 were compared.
    private var compared = 0
    /// The roots of complete tiles by their level.
    private var roots: [[Hash]] = []
    /// The first position whose leaf is not known: the tree can't be recomputed from there on.
    private var end: Int?
    private var edgeHolds: Bool?
    private var signedRoots: [Int: Hash] = [:]
    private var wantedSizes: Set<Int> = []

    init(_ tree: any StoredTree, signed: (any SignedStates)?) async throws(EventStoreError) {
        (self.tree, self.signed) = (tree, signed)
        edge = try await tree.edge()
        if let signed {
            // What can't be read is named by `findings`.
            let sizes = try await unlessDamaged { () throws(EventStoreError) in try await signed.sizes() }
            wantedSizes = Set(sizes ?? [])
        }
        note()
    }

    /// The size up to which the stored tree has to be that of the entries.
    private var size: Int { min(edge.frontier?.size ?? edge.head, edge.head) }

    mutating func take(_ event: EventLink) {
        guard end == nil, let position = event.position, position > frontier.size else { return }
        if position > frontier.size + 1 {
            end = frontier.size + 1
            return
        }
        if frontier.size < size { leaves.append(event.leaf) }
        var complete: [TreeHash] = []
        frontier.append(event.leaf) { complete.append($0) }
        for hash in complete {
            if roots.count < hash.level { roots.append([]) }
            roots[hash.level - 1].append(hash.hash)
        }
        note()
    }

    /// Notes what is wanted of the tree at this size.
    private mutating func note() {
        if let stored = edge.frontier, stored.size == frontier.size { edgeHolds = stored == frontier }
        if wantedSizes.contains(frontier.size) { signedRoots[frontier.size] = frontier.root }
    }
}

// MARK: - Comparing

extension LogCheck {
    /// The most leaves that wait for their tiles to be compared.
    private static let patience = 64 * TilePath.fullWidth

    /// Compares the tiles of leaves that are complete by now, once there are many.
    mutating func compareLeaves(
        isLast: Bool = false, _ report: inout VerifyReport
    ) async throws(EventStoreError) {
        if !isLast, leaves.count < Self.patience { return }
        let complete = min(compared + leaves.count / TilePath.fullWidth, size / TilePath.fullWidth)
        var held = try await tiles(onLevel: 0, compared..<complete)
        for index in compared..<complete {
            let first = (index - compared) * TilePath.fullWidth
            compare(held.removeValue(forKey: index), level: 0, index: index, leaves[first..<(first + 256)], &report)
        }
        leaves.removeFirst(max(complete - compared, 0) * TilePath.fullWidth)
        compared = max(complete, compared)
    }

    /// Compares what is left once every event was taken in.
    mutating func finish(_ report: inout VerifyReport) async throws(EventStoreError) {
        try await compareLeaves(isLast: true, &report)
        for level in roots.indices.dropFirst() {
            let complete = min(roots[level].count, size >> (8 * (level + 1)))
            var held = try await tiles(onLevel: level, 0..<complete)
            for index in 0..<complete {
                let below = roots[level - 1][(256 * index)..<(256 * index + 256)]
                compare(held.removeValue(forKey: index), level: level, index: index, below, &report)
            }
        }
        compareEdge(&report)
        try await findStrays(&report)
        guard let signed else { return }
        for finding in try await signed.findings(roots: signedRoots, size: frontier.size) { report.add(finding) }
    }

    private func tiles(onLevel level: Int, _ wanted: Range<Int>) async throws(EventStoreError) -> [Int: StoredTile] {
        var held: [Int: StoredTile] = [:]
        if wanted.isEmpty { return held }
        var place: TilePlace? = TilePlace(level: level, index: wanted.lowerBound - 1)
        while let after = place {
            let page = try await tree.tiles(after: after, limit: min(wanted.upperBound - after.index - 1, 256))
            for tile in page where tile.place.level == level && wanted.contains(tile.place.index) {
                held[tile.place.index] = tile
            }
            place = page.last?.place
            if let last = place, last >= TilePlace(level: level, index: wanted.upperBound - 1) { place = nil }
        }
        return held
    }

    private func compare(
        _ held: StoredTile?, level: Int, index: Int, _ hashes: ArraySlice<Hash>, _ report: inout VerifyReport
    ) {
        let width = 1 << (8 * level)
        let first = 256 * width * index
        guard let held else {
            report.add(
                Finding(
                    .treeMissing, position: first + 1,
                    message: "the tree lacks its tile \(index) of level \(level), from position \(first + 1) on"))
            return
        }
        if let stored = held.hashes, let place = hashes.differs(from: stored) {
            let position = first + width * place + 1
            let what = level == 0 ? "is not the leaf of the entry" : "is not what the entries make"
            report.add(
                Finding(
                    .treeDiffers, position: position,
                    message: "hash \(place) of tile \(index) of level \(level) in the tree \(what)"))
        } else if held.root != roots[level][index] {
            report.add(
                Finding(
                    .treeDiffers, position: first + 1,
                    message: "the root of tile \(index) of level \(level) in the tree is not what the entries make"))
        }
    }

    private func compareEdge(_ report: inout VerifyReport) {
        func add(_ kind: Finding.Kind, _ position: Int?, _ message: String) {
            report.add(Finding(kind, position: position, message: message))
        }
        if let end, end <= size {
            add(
                .treeUnknown, end,
                "the event at position \(end) is missing or can't be read, so the tree can't be compared from there on")
        }
        guard let stored = edge.frontier else {
            return add(.treeDiffers, edge.head, "what is stored as the edge of the tree is none")
        }
        if stored.size > edge.head {
            add(
                .treeDiffers, stored.size,
                "the tree has \(stored.size) leaves, and the log \(edge.head) events")
        } else if edgeHolds == false {
            add(.treeDiffers, stored.size, "the edge of the tree at size \(stored.size) is not what the entries make")
        } else if edgeHolds == nil, end == nil {
            add(.treeUnknown, frontier.size, "the tree was at size \(stored.size), and the events end before it")
        }
    }

    /// Names tiles that no tree of this size has. What was appended meanwhile is counted.
    private func findStrays(_ report: inout VerifyReport) async throws(EventStoreError) {
        let limit = 100
        var strays: Set<TilePlace> = []
        // From the end of each level on, and before the first.
        var place: TilePlace?
        for level in 0...8 {
            let page = try await tree.tiles(after: place, limit: limit)
            let now = try await tree.edge()
            let size = min(now.frontier?.size ?? now.head, now.head)
            strays.formUnion(page.map(\.place).filter { $0.isOutside(size) })
            place = TilePlace(level: level, index: TilePath.hashes(onLevel: level + 1, ofSize: size) - 1)
        }
        for place in strays.sorted().prefix(limit) {
            report.add(
                Finding(
                    .treeOutside,
                    message: "the tree has a tile \(place.index) of level \(place.level), which no entries make"))
        }
    }
}

extension TilePlace {
    /// Whether a tree of this size has no complete tile here.
    fileprivate func isOutside(_ size: Int) -> Bool {
        !(0...7).contains(level) || index < 0 || index >= TilePath.hashes(onLevel: level + 1, ofSize: size)
    }
}

extension ArraySlice<Hash> {
    /// The first place at which some hashes are others, or fewer or more.
    fileprivate func differs(from other: [Hash]) -> Int? {
        if count == other.count, elementsEqual(other) { return nil }
        return zip(self, other).enumerated().first { $1.0 != $1.1 }?.offset ?? Swift.min(count, other.count)
    }
}

import EventStore
import TestEngines
import TestPostgres
import TestTrees
import Testing
import TransparencyLog

@Suite("The contract of LogTree", .dropsDatabases)
struct LogTreeContract {
    /// Sizes around the edges of tiles, and some between them.
    private static let sizes = [1, 2, 3, 7, 8, 100, 255, 256, 257, 511, 512, 513, 700, 768, 1025]

    @Test("the tree of a log without an event is empty", arguments: TreeEngine.available)
    func empty(engine: TreeEngine) async throws {
        let log = try await engine.make()
        #expect(try await log.tree.frontier() == Frontier())
        #expect(try await log.tree.hashes([]) == [])
        let nothing = [HashRange(level: 0, start: 0, count: 256), HashRange(level: 1, start: 0, count: 1)]
        #expect(try await log.tree.hashes(nothing) == [[], []])
        #expect(try await log.tree.heads(ofSize: 0) == [])
    }

    @Test(
        "frontier, hashes and proofs of a random history are those of the naive tree, at every edge of a tile",
        arguments: TreeEngine.available)
    func proofs(engine: TreeEngine) async throws {
        let log = try await engine.make()
        var random = SeededRandom(17)
        for size in Self.sizes {
            try await log.grow(by: size - (try await log.feed.head()), &random)
            let leaves = try await log.leaves()
            #expect(leaves.count == size)
            let frontier = try await log.tree.frontier()
            #expect(frontier.size == size && frontier.root == NaiveTree.root(leaves[...]), "size \(size)")
            #expect(try await log.answer(TreePlan.frontier(ofSize: size)) == frontier.hashes)
            try await compareHashes(log, leaves)
            for index in Set([0, size / 2, size - 1, Int(random.next() % UInt64(size))]) {
                let proof = try await log.answer(TreePlan.inclusion(of: index, inSize: size))
                #expect(proof == NaiveTree.path(index, leaves[...]), "\(index) in \(size)")
                #expect(
                    TreeProof.includes(leaves[index], index: index, size: size, root: frontier.root, proof: proof))
            }
            for old in Set(Self.sizes.filter { $0 <= size } + [1 + Int(random.next() % UInt64(size))]) {
                let proof = try await log.answer(TreePlan.consistency(from: old, to: size))
                #expect(proof == NaiveTree.consistency(old, leaves[...]), "\(old) to \(size)")
                #expect(
                    try await log.answer(TreePlan.root(ofSize: old)) == [NaiveTree.root(leaves[..<old])], "\(old)")
            }
        }
    }

    /// Compares every hash that is stored, and that there are no others.
    private func compareHashes(_ log: GrowingLog, _ leaves: [Hash]) async throws {
        var (level, width) = (0, 1)
        while true {
            let count = leaves.count / width
            let ranges = (0...(count / 256)).map { HashRange(level: level, start: 256 * $0, count: 256) }
            let hashes = try await log.tree.hashes(ranges)
            #expect(hashes.map(\.count) == ranges.map { min(max(count - $0.start, 0), 256) })
            let wanted = (0..<count).map { NaiveTree.root(leaves[(width * $0)..<(width * $0 + width)]) }
            #expect(Array(hashes.joined()) == wanted, "level \(level) of \(leaves.count)")
            if count == 0 { return }
            (level, width) = (level + 1, 256 * width)
        }
    }

    @Test(
        "the rows of the tree are its complete tiles, and it says how far it has come", arguments: TreeEngine.available)
    func rows(engine: TreeEngine) async throws {
        let log = try await engine.make()
        var random = SeededRandom(22)
        for size in [0, 255, 256, 600] {
            try await log.grow(by: size - (try await log.feed.head()), &random)
            let leaves = try await log.leaves()
            let edge = try await log.tree.edge()
            #expect(edge.head == size && edge.frontier?.size == size)
            #expect(try await log.tree.growTree(limit: 1))
            let tiles = try await log.tree.tiles(after: nil, limit: 100)
            #expect(tiles.map(\.place) == (0..<(size / 256)).map { TilePlace(level: 0, index: $0) })
            for tile in tiles {
                let hashes = leaves[(256 * tile.place.index)..<(256 * tile.place.index + 256)]
                #expect(tile.root == NaiveTree.root(hashes))
                #expect(tile.hashes.map { $0 == Array(hashes) } ?? true)
            }
            #expect(
                try await log.tree.tiles(after: tiles.first?.place, limit: 1).count == max(min(size / 256 - 1, 1), 0))
        }
    }

    @Test("ranges are answered in their order, and end where the store has no more", arguments: TreeEngine.available)
    func ranges(engine: TreeEngine) async throws {
        let log = try await engine.make()
        var random = SeededRandom(18)
        try await log.grow(by: 600, &random)
        let leaves = try await log.leaves()
        let ranges = [
            HashRange(level: 1, start: 1, count: 5), HashRange(level: 0, start: 590, count: 20),
            HashRange(level: 0, start: 250, count: 6), HashRange(level: 0, start: 7, count: 1),
            HashRange(level: 0, start: 256, count: 256), HashRange(level: 0, start: 600, count: 1),
            HashRange(level: 2, start: 0, count: 1), HashRange(level: 7, start: 0, count: 256),
            HashRange(level: 0, start: 768, count: 3),
        ]
        #expect(
            try await log.tree.hashes(ranges) == [
                [NaiveTree.root(leaves[256..<512])], Array(leaves[590...]), Array(leaves[250..<256]), [leaves[7]],
                Array(leaves[256..<512]), [], [], [], [],
            ])
    }

    @Test("the tree grows past the first tile of level 1", arguments: TreeEngine.available)
    func levels(engine: TreeEngine) async throws {
        // A cluster takes too long for so many.
        guard engine.isQuick else { return }
        let log = try await engine.make()
        var random = SeededRandom(19)
        var frontier = Frontier()
        for size in [65_535, 65_536, 65_537, 65_800] {
            let held = try await log.feed.head()
            try await log.grow(by: size - held, streams: 3000, largest: 500, &random)
            for leaf in try await log.leaves(after: held) { frontier.append(leaf) }
            #expect(try await log.tree.frontier() == frontier)
            #expect(try await log.answer(TreePlan.root(ofSize: size)) == [frontier.root], "\(size)")
            #expect(try await log.answer(TreePlan.frontier(ofSize: size)) == frontier.hashes, "\(size)")
            let index = Int(random.next() % UInt64(size))
            let leaf = try #require(try await log.tree.hashes([HashRange(level: 0, start: index, count: 1)])[0].first)
            let proof = try await log.answer(TreePlan.inclusion(of: index, inSize: size))
            #expect(TreeProof.includes(leaf, index: index, size: size, root: frontier.root, proof: proof))
        }
    }

    @Test("the heads of a size are where its streams ended then", arguments: TreeEngine.available)
    func heads(engine: TreeEngine) async throws {
        let log = try await engine.make()
        var random = SeededRandom(20)
        try await log.grow(by: 300, &random)
        let events = try await log.feed.events(after: 0, limit: .max)
        for size in [0, 1, 2, 17, 255, 256, 299, 300] {
            var heads: [StreamID: Head] = [:]
            for event in events.prefix(size) {
                heads[event.stream] = Head(stream: event.stream, version: event.version, leaf: event.leaf)
            }
            #expect(
                try await log.tree.heads(ofSize: size) == heads.values.sorted { $0.stream < $1.stream }, "\(size)")
        }
    }

    @Test("whoever saw a frontier finds its hashes, while others append", arguments: TreeEngine.available)
    func growing(engine: TreeEngine) async throws {
        let log = try await engine.make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var random = SeededRandom(21)
                for _ in 0..<60 { try await log.grow(by: 1 + Int(random.next() % 20), &random) }
            }
            group.addTask {
                for _ in 0..<60 {
                    let frontier = try await log.tree.frontier()
                    let root = try await log.answer(TreePlan.root(ofSize: frontier.size))
                    #expect(root == [frontier.root], "\(frontier.size)")
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
    }
}

extension GrowingLog {
    /// The leaves after a position, hashed here from the entries.
    fileprivate func leaves(after position: Int = 0) async throws -> [Hash] {
        try await feed.events(after: position, limit: .max).map { Hash.leaf(of: $0.entry.bytes) }
    }

    fileprivate func answer(_ plan: TreePlan?) async throws -> [Hash] {
        guard let plan else { return [] }
        return try plan.hashes(from: try await tree.hashes(plan.reads))
    }
}

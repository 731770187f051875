package import EventStore
package import TransparencyLog

/// The tree over the events of a log, with all hashes that tiles hold.
struct MemoryTree {
    private(set) var frontier = Frontier()
    /// The hashes by their levels; those of level 0 are the leaves.
    private var levels: [[Hash]] = [[]]

    init(_ events: some Sequence<RecordedEvent> = []) { append(events) }

    mutating func append(_ events: some Sequence<RecordedEvent>) {
        for event in events {
            levels[0].append(event.leaf)
            var complete: [TreeHash] = []
            frontier.append(event.leaf) { complete.append($0) }
            for hash in complete {
                if hash.level == levels.count { levels.append([]) }
                levels[hash.level].append(hash.hash)
            }
        }
    }

    func hashes(_ range: HashRange) -> [Hash] {
        guard levels.indices.contains(range.level) else { return [] }
        return Array(levels[range.level].dropFirst(max(range.start, 0)).prefix(max(range.count, 0)))
    }

    func tiles(after place: TilePlace?, limit: Int) -> [StoredTile] {
        var tiles: [StoredTile] = []
        for level in levels.indices.dropLast() {
            for (index, root) in levels[level + 1].enumerated() where tiles.count < limit {
                let here = TilePlace(level: level, index: index)
                if let place, here <= place { continue }
                let hashes = hashes(HashRange(level: level, start: 256 * index, count: 256))
                tiles.append(StoredTile(place: here, root: root, hashes: hashes))
            }
        }
        return tiles
    }
}

extension MemoryEventStore: StoredTree {
    package func growTree(limit: Int) async throws(EventStoreError) -> Bool { true }

    /// It is made anew immediately.
    package func forgetTree() async throws(EventStoreError) { remakeTree() }

    package func frontier() async throws(EventStoreError) -> Frontier { frontierNow }

    package func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]] { hashesNow(ranges) }

    package func heads(ofSize size: Int) async throws(EventStoreError) -> [Head] {
        Head.last(of: eventsNow(after: 0, limit: size))
    }

    package func edge() async throws(EventStoreError) -> StoredEdge {
        let frontier = frontierNow
        return StoredEdge(head: frontier.size, frontier: frontier)
    }

    package func tiles(after place: TilePlace?, limit: Int) async throws(EventStoreError) -> [StoredTile] {
        treeNow.tiles(after: place, limit: limit)
    }
}

extension MemoryMirror: StoredTree {
    package func growTree(limit: Int) async throws(EventStoreError) -> Bool { true }

    /// It is made anew immediately.
    package func forgetTree() async throws(EventStoreError) { remakeTree() }

    package func frontier() async throws(EventStoreError) -> Frontier { contents.tree.frontier }

    package func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]] {
        let tree = contents.tree
        return ranges.map(tree.hashes)
    }

    package func heads(ofSize size: Int) async throws(EventStoreError) -> [Head] {
        Head.last(of: contents.entries.prefix(max(size, 0)))
    }

    package func edge() async throws(EventStoreError) -> StoredEdge {
        let contents = contents
        return StoredEdge(head: contents.entries.count, frontier: contents.tree.frontier)
    }

    package func tiles(after place: TilePlace?, limit: Int) async throws(EventStoreError) -> [StoredTile] {
        contents.tree.tiles(after: place, limit: limit)
    }
}

extension Head {
    /// Where each stream of some events ends, sorted by stream.
    fileprivate static func last(of events: some Sequence<RecordedEvent>) -> [Head] {
        var heads: [StreamID: Head] = [:]
        for event in events {
            heads[event.stream] = Head(stream: event.stream, version: event.version, leaf: event.leaf)
        }
        return heads.values.sorted { $0.stream < $1.stream }
    }
}

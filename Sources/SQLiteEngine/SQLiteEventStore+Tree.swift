package import EventStore
import GRDB
package import TransparencyLog

extension SQLiteEventStore: LogTree, StoredTree {
    package func frontier() async throws(EventStoreError) -> Frontier { try await edge().whole() }

    package func edge() async throws(EventStoreError) -> StoredEdge { try await file.read { try Self.edge(in: $0) } }

    static func edge(in database: Database) throws -> StoredEdge {
        let edge = try database.row("SELECT position, tree FROM head") {
            StoredEdge(head: $0[0], frontier: Frontier(bytes: try $0.bytes(1)))
        }
        return edge ?? StoredEdge(head: 0, frontier: nil)
    }

    package func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]] {
        try await file.read { database in try ranges.map { try Self.hashes($0, in: database) } }
    }

    private static func hashes(_ range: HashRange, in database: Database) throws -> [Hash] {
        let last = range.start + range.count - 1
        guard range.start >= 0, range.count > 0, range.start / TilePath.fullWidth == last / TilePath.fullWidth else {
            return []
        }
        // A tile that is not complete has its leaves with the events, and its other hashes with the tiles below.
        return try Tiles.hashes(range, in: database)
            ?? (range.level == 0
                ? Tiles.leaves(range, in: database)
                : Tiles.roots(
                    from: TilePlace(level: range.level - 1, index: range.start), count: range.count, in: database))
    }

    package func heads(ofSize size: Int) async throws(EventStoreError) -> [Head] {
        try await file.scan { database in
            var heads: [Head] = []
            // The index over streams has their positions as well: only the last event of each is looked up, in the
            // order of the index, which CROSS JOIN keeps.
            try database.each(
                """
                SELECT last.stream, last.version, event.leaf
                FROM (SELECT stream, max(version) AS version, position FROM events WHERE position <= ? GROUP BY stream)
                    AS last CROSS JOIN events AS event ON event.position = last.position
                """, [size]
            ) { row in
                heads.append(
                    Head(stream: StreamID(try row.identifier(0)), version: row.integer(1), leaf: try row.hash(2)))
            }
            return heads
        }
    }

    package func tiles(after place: TilePlace?, limit: Int) async throws(EventStoreError) -> [StoredTile] {
        try await file.scan { database in
            try database.stored(
                "SELECT place, root, hashes FROM tiles WHERE place > ? ORDER BY place LIMIT ?",
                [place.map(Tiles.number) ?? .min, max(limit, 0)]
            ) { row in
                StoredTile(
                    place: Tiles.place(row.integer(0)), root: Hash(raw: row.bytes(1)),
                    hashes: Tiles.hashes(row.bytes(2)))
            }
        }
    }

    package func growTree(limit: Int) async throws(EventStoreError) -> Bool {
        try await file.write { try $0.growTree(limit: limit) }
    }

    package func forgetTree() async throws(EventStoreError) {
        try await file.write { try $0.forgetTree() }
    }
}

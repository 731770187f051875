package import EventStore
import Projections
package import TransparencyLog

extension PostgresMirror: StoredTree {
    package func frontier() async throws(EventStoreError) -> Frontier { try await edge().whole() }

    package func edge() async throws(EventStoreError) -> StoredEdge {
        try await pool.use { session in
            let edge = try session.row("SELECT position, tree FROM ledger.head") { row in
                StoredEdge(head: try row.int(0), frontier: Frontier(bytes: try row.bytes(1)))
            }
            return edge ?? StoredEdge(head: 0, frontier: nil)
        }
    }

    package func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]] {
        try await pool.transaction { session in
            try session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return try ranges.map { try MirrorTree.hashes($0, in: session) }
        }
    }

    package func heads(ofSize size: Int) async throws(EventStoreError) -> [Head] {
        try await pool.use { session in
            try session.query(
                """
                SELECT DISTINCT ON (stream) stream, version, leaf FROM ledger.entries WHERE position <= $1
                ORDER BY stream, version DESC
                """, [.int8(size)]
            ) { Head(stream: StreamID(try $0.uuid(0)), version: try $0.int(1), leaf: try $0.hash(2)) }
        }
    }

    package func tiles(after place: TilePlace?, limit: Int) async throws(EventStoreError) -> [StoredTile] {
        let place = place ?? TilePlace(level: -1, index: 0)
        return try await pool.use { session in
            try session.query(
                """
                SELECT level, index, root FROM ledger.tiles WHERE (level, index) > ($1::integer, $2::bigint)
                ORDER BY level, index LIMIT $3
                """, [.int4(place.level), .int8(place.index), .int8(max(limit, 0))]
            ) { row in
                StoredTile(
                    place: TilePlace(level: try row.int(0), index: try row.int(1)), root: try row.hash(2), hashes: nil)
            }
        }
    }

    package func growTree(limit: Int) async throws(EventStoreError) -> Bool {
        let edge = try await edge()
        if edge.frontier?.size == edge.head { return true }
        return try await pool.transaction { session in
            let (state, stored) = try Self.head(in: session, locked: true)
            guard var tree = MirrorTree(stored, position: state.position) else {
                throw EventStoreError(
                    .corrupt,
                    message: "the tree over the mirror's entries can't be gone on with: run `ledger verify --mirror`")
            }
            try tree.catchUp(to: state.position, limit: limit, in: session)
            guard tree.frontier.size > stored?.size ?? 0 || tree.frontier.size == state.position else {
                throw EventStoreError(
                    .corrupt,
                    message: """
                        the mirror lacks the entry at position \(tree.frontier.size + 1), so its tree can't be gone on \
                        with: run `ledger repair --mirror`
                        """)
            }
            try tree.writeTiles(in: session)
            try session.execute("UPDATE ledger.head SET tree = $1", [.bytes(tree.frontier.bytes)])
            return tree.frontier.size == state.position
        }
    }

    package func forgetTree() async throws(EventStoreError) {
        try await mending { session in
            try session.row("SELECT position FROM ledger.head FOR UPDATE") { _ in }
            try Self.asOwner(session) {
                try Self.layingAside(["tiles_never_change", "a_tile_never_changes"], of: "ledger.tiles", session) {
                    try session.run("DELETE FROM ledger.tiles")
                }
                try Self.movingBack(session) { try session.run("UPDATE ledger.head SET tree = DEFAULT") }
            }
        }
    }

    /// Has the tree go back to a size, in a transaction of the owner: takes away the tiles that are not complete then.
    ///
    /// - Returns: the edge for the head row, which the caller writes.
    static func cutTree(to size: Int, in session: PostgresSession) throws -> Frontier {
        let stored = try head(in: session, locked: true).tree
        if let stored, stored.size <= size { return stored }
        let edge = try MirrorTree.edge(ofSize: size, in: session)
        try layingAside(["tiles_never_change", "a_tile_never_changes"], of: "ledger.tiles", session) {
            try session.execute(
                "DELETE FROM ledger.tiles WHERE index >= $1::bigint >> (8 * (level + 1))", [.int8(edge.size)])
        }
        return edge
    }

    /// Moves head and tree back, in a transaction of the owner, by a statement that names both.
    static func movingBack(_ session: PostgresSession, _ body: () throws -> Void) throws {
        try layingAside(["head_only_grows", "tree_only_grows"], of: "ledger.head", session, body)
    }
}

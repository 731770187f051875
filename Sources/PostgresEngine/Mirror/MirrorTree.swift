import EventStore
import TransparencyLog

/// The tree of the mirror in one transaction that holds the head row: it takes in leaves, and is written once.
struct MirrorTree {
    /// The most entries of before that a batch takes in along with its own.
    static let catchUp = 10_000

    private(set) var frontier: Frontier
    private var complete: [TreeHash] = []

    /// - Parameter stored: the edge as the head row has it.
    /// - Returns: nil when it is none, or of more entries than there are: `verify` names it.
    init?(_ stored: Frontier?, position: Int) {
        guard let stored, stored.size <= position else { return nil }
        frontier = stored
    }

    mutating func append(_ leaves: [Hash]) {
        for leaf in leaves { frontier.append(leaf) { complete.append($0) } }
    }

    /// Takes in entries that were stored by a program without a tree, up to a position and so many together.
    mutating func catchUp(to position: Int, limit: Int, in session: PostgresSession) throws {
        let missing = HashRange(level: 0, start: frontier.size, count: min(limit, position - frontier.size))
        if missing.count > 0 { append(try Self.leaves(missing, in: session)) }
    }

    /// Writes the tiles that are complete by now. A stranger's row in the place of one is left for `verify` to name.
    func writeTiles(in session: PostgresSession) throws {
        if complete.isEmpty { return }
        try session.execute(
            """
            INSERT INTO ledger.tiles (level, index, root)
            SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING
            """,
            [
                .array(complete.map { .int4($0.level - 1) }), .array(complete.map { .int8($0.index) }),
                .array(complete.map { .hash($0.hash) }),
            ])
    }
}

// MARK: - Reading

extension MirrorTree {
    /// The leaves of some places as the entries have them, without a hole.
    static func leaves(_ range: HashRange, in session: PostgresSession) throws -> [Hash] {
        try run(
            "SELECT position, leaf FROM ledger.entries WHERE position >= $1 AND position < $2 ORDER BY position",
            [], from: range.start + 1, count: range.count, in: session)
    }

    static func hashes(_ range: HashRange, in session: PostgresSession) throws -> [Hash] {
        guard range.start >= 0, range.count > 0 else { return [] }
        if range.level == 0 { return try leaves(range, in: session) }
        return try run(
            "SELECT index, root FROM ledger.tiles WHERE index >= $1 AND index < $2 AND level = $3 ORDER BY index",
            [.int4(range.level - 1)], from: range.start, count: range.count, in: session)
    }

    /// The hashes of rows whose numbers follow each other.
    private static func run(
        _ sql: String, _ more: [PostgresValue], from first: Int, count: Int, in session: PostgresSession
    ) throws -> [Hash] {
        let rows = try session.query(sql, [.int8(first), .int8(first + count)] + more) { row in
            (number: try row.int(0), hash: try row.hash(1))
        }
        return zip(rows, first...).prefix { $0.0.number == $0.1 }.map(\.0.hash)
    }

    /// The edge that the tree had at a size, for a mirror that goes back to it: the empty one where that is not known
    /// any more, so that the tree is made anew.
    static func edge(ofSize size: Int, in session: PostgresSession) throws -> Frontier {
        let plan = TreePlan.frontier(ofSize: size)
        let answers = try plan.reads.map { try hashes($0, in: session) }
        guard let roots = try? plan.hashes(from: answers) else { return Frontier() }
        return Frontier(size: size, hashes: roots) ?? Frontier()
    }
}

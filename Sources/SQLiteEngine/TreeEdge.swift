import EventStore
import Foundation
import GRDB
import Synchronization
import TransparencyLog

/// The right edge of the tree as the writer goes on from it.
struct TreeEdge {
    private(set) var frontier: Frontier
    /// The leaves of the tile that is not complete yet.
    private var leaves: [Hash]

    /// The edge after a frontier, whose last leaves are read from the events; nil when they are not all there.
    init?(_ frontier: Frontier, in database: Database) throws {
        let start = frontier.size / TilePath.fullWidth * TilePath.fullWidth
        let range = HashRange(level: 0, start: start, count: frontier.size - start)
        leaves = range.count == 0 ? [] : try Tiles.leaves(range, in: database)
        leaves.reserveCapacity(TilePath.fullWidth)
        self.frontier = frontier
        if leaves.count < range.count { return nil }
    }

    /// Takes in the next leaf. A tile that is complete with it is stored.
    mutating func append(_ leaf: Hash, in database: Database) throws {
        var roots: [TreeHash] = []
        frontier.append(leaf) { roots.append($0) }
        leaves.append(leaf)
        for root in roots {
            let place = TilePlace(level: root.level - 1, index: root.index)
            let below = TilePlace(level: place.level - 1, index: place.index * TilePath.fullWidth)
            try Tiles.insert(
                root.hash, over: place.level == 0 ? leaves : Tiles.roots(from: below, in: database), at: place,
                in: database)
        }
        if !roots.isEmpty { leaves.removeAll(keepingCapacity: true) }
    }
}

/// What the writer remembers of the tree from one transaction to the next.
final class TreeMemory: Sendable {
    private let kept = Mutex<(stored: Data, edge: TreeEdge)?>(nil)

    /// The edge that was kept last, if it is the one that the file has: another process may have written since.
    func edge(storedAs stored: Data) -> TreeEdge? { kept.withLock { $0?.stored == stored ? $0?.edge : nil } }

    /// Keeps an edge whose transaction is durable.
    func keep(_ edge: TreeEdge, storedAs stored: Data) { kept.withLock { $0 = (stored, edge) } }
}

/// The rows of complete tiles.
enum Tiles {
    /// The bits of a place that say where in its level a tile is.
    private static let indexBits = 48

    static func number(_ place: TilePlace) -> Int { place.level << indexBits + place.index }

    static func place(_ number: Int) -> TilePlace {
        TilePlace(level: number >> indexBits, index: number & (1 << indexBits - 1))
    }

    static func insert(_ root: Hash, over hashes: [Hash], at place: TilePlace, in database: Database) throws {
        do {
            try database.run(
                "INSERT INTO tiles VALUES (?, ?, ?)", [number(place), root.blob, Data(Tile.encode(hashes))])
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            // Somebody has put a row there. `verify` names it; events are stored all the same.
        }
    }

    /// The roots of up to 256 complete tiles from a place on, without a hole.
    static func roots(from place: TilePlace, count: Int = TilePath.fullWidth, in database: Database) throws -> [Hash] {
        try run(
            "SELECT place, root FROM tiles WHERE place >= ? AND place < ? ORDER BY place", from: number(place),
            count: count, in: database)
    }

    /// The leaves of some places as the events have them, without a hole.
    static func leaves(_ range: HashRange, in database: Database) throws -> [Hash] {
        try run(
            """
            SELECT position, leaf FROM events
            WHERE position >= ? AND position < ? AND position <= (SELECT position FROM head) ORDER BY position
            """, from: range.start + 1, count: range.count, in: database)
    }

    /// The hashes of rows whose numbers follow each other.
    private static func run(_ sql: String, from first: Int, count: Int, in database: Database) throws -> [Hash] {
        var hashes: [Hash] = []
        hashes.reserveCapacity(count)
        try database.each(sql, [first, first + count]) { row in
            if row.integer(0) == first + hashes.count { hashes.append(try row.hash(1)) }
        }
        return hashes
    }

    /// The hashes of a complete tile, or some of them; nil when it is not there.
    static func hashes(_ range: HashRange, in database: Database) throws -> [Hash]? {
        let place = TilePlace(level: range.level, index: range.start / TilePath.fullWidth)
        let first = range.start % TilePath.fullWidth
        return try database.stored("SELECT hashes FROM tiles WHERE place = ?", [number(place)]) { row in
            let bytes = row.bytes(0)
            guard bytes.count == 32 * TilePath.fullWidth else { throw row.damaged(0) }
            return hashes(UnsafeRawBufferPointer(rebasing: bytes[(32 * first)..<(32 * (first + range.count))]))
        }.first
    }

    static func hashes(_ bytes: UnsafeRawBufferPointer) -> [Hash] {
        (0..<(bytes.count / 32)).compactMap { index in
            Hash(raw: UnsafeRawBufferPointer(rebasing: bytes[(32 * index)..<(32 * index + 32)]))
        }
    }
}

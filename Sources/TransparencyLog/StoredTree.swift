package import EventStore

/// The rows in which a store keeps its tree, for whoever verifies them. They are given out as they stand there.
package protocol StoredTree: LogTree {
    /// How far the log and its tree have come, in one snapshot.
    ///
    /// - Throws: `unavailable`.
    func edge() async throws(EventStoreError) -> StoredEdge

    /// The complete tiles that stand after a place, in the order of their places, at most `limit`.
    ///
    /// - Throws: `unavailable`.
    func tiles(after place: TilePlace?, limit: Int) async throws(EventStoreError) -> [StoredTile]

    /// Takes into the tree the next events that are not in it, since they were stored by a program without one.
    ///
    /// - Parameter limit: how many at most; whoever appends waits meanwhile.
    /// - Returns: whether the tree has all events then.
    /// - Throws: `unavailable`; `corrupt` when it can't be gone on with.
    func growTree(limit: Int) async throws(EventStoreError) -> Bool

    /// Takes all of the tree away, so that `growTree` makes it anew from the leaves of the events.
    ///
    /// - Throws: `unavailable`; `invalid` when this login may not.
    func forgetTree() async throws(EventStoreError)
}

/// How far a log and its tree have come.
package struct StoredEdge: Sendable {
    /// The position of the last event.
    package let head: Int
    /// The right edge of the tree; nil when what is stored is none.
    package let frontier: Frontier?

    package init(head: Int, frontier: Frontier?) { (self.head, self.frontier) = (head, frontier) }

    /// The right edge of the tree over all events.
    ///
    /// - Throws: `corrupt` when there is none that can be one; `unavailable` while it is being made.
    package func whole() throws(EventStoreError) -> Frontier {
        guard let frontier, frontier.size <= head else {
            throw EventStoreError(
                .corrupt, message: "what is stored as the edge of the tree is none: run `ledger verify --log`")
        }
        if frontier.size < head {
            throw EventStoreError(
                .unavailable,
                message: """
                    the tree over the events is still being made: it has \(frontier.size) of \(head). It is made while \
                    the server runs
                    """)
        }
        return frontier
    }
}

/// Where a complete tile stands (C2SP tlog-tiles, "Merkle Tree").
package struct TilePlace: Hashable, Comparable, Sendable {
    package let level: Int
    /// Its place in the level, counted from 0.
    package let index: Int

    package init(level: Int, index: Int) { (self.level, self.index) = (level, index) }

    package static func < (left: TilePlace, right: TilePlace) -> Bool {
        (left.level, left.index) < (right.level, right.index)
    }
}

/// A complete tile as it is stored.
package struct StoredTile: Sendable {
    package let place: TilePlace
    /// The hash of the next level; nil when what is stored is no hash.
    package let root: Hash?
    /// Its 256 hashes: nil where the store keeps the root alone, fewer when what is stored is not as long.
    package let hashes: [Hash]?

    package init(place: TilePlace, root: Hash?, hashes: [Hash]?) {
        (self.place, self.root, self.hashes) = (place, root, hashes)
    }
}

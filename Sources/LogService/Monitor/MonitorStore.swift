package import EventStore
package import TransparencyLog

/// What a monitor keeps of a log. Every implementation passes the same contract suite (`MonitorStoreContract`).
package protocol MonitorStore: Sendable {
    /// What was kept last; nil before the first checkpoint.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func state() async throws(EventStoreError) -> MonitorState?

    /// Keeps a checkpoint in place of the last one; durable once this returns.
    ///
    /// - Throws: `unavailable`.
    func accept(_ note: [UInt8], isOpaque: Bool) async throws(EventStoreError)

    /// How far each of some streams has come in the entries that were read; nothing for those that have none.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func heads(of streams: Set<StreamID>) async throws(EventStoreError) -> [StreamID: Head]

    /// Keeps entries that were read, in one step; durable once this returns.
    ///
    /// - Throws: `invalid` where the entries before them were not read, `unavailable`.
    func take(_ part: MonitoredPart) async throws(EventStoreError)

    /// The leaves of a tile of level 0 as far as its entries were read.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func leaves(ofTile index: Int) async throws(EventStoreError) -> [Hash]
}

/// How far a monitor has come with a log.
package struct MonitorState: Equatable, Sendable {
    /// The last checkpoint that was accepted.
    package let note: [UInt8]
    /// How many entries were read and checked.
    package let read: Int
    /// Whether entries are read as bytes of any kind.
    package let isOpaque: Bool

    package init(note: [UInt8], read: Int, isOpaque: Bool) {
        (self.note, self.read, self.isOpaque) = (note, read, isOpaque)
    }
}

/// Entries that were read, all of one tile.
package struct MonitoredPart: Sendable {
    /// The index of the tile.
    package let tile: Int
    /// All leaves of the tile that are known now, from its first one on.
    package let leaves: [Hash]
    /// How many of them were known before.
    package let known: Int
    /// How far the streams of the new entries have come with them.
    package let heads: [Head]

    package init(tile: Int, leaves: [Hash], known: Int, heads: [Head]) {
        (self.tile, self.leaves, self.known, self.heads) = (tile, leaves, known, heads)
    }

    /// How many entries were read before, and with these.
    package var range: Range<Int> { (tile * TilePath.fullWidth + known)..<(tile * TilePath.fullWidth + leaves.count) }
}

extension MonitoredPart {
    /// Why entries are not kept: those before them were read by somebody else meanwhile, or not at all.
    package static let stranger = EventStoreError(
        .invalid, message: "another monitor works in this directory: stop it, or take another --data")
}

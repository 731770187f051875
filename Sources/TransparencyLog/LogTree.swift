package import EventStore

/// What a store keeps of the tree over its entries: the leaf of the event at position p has the index p - 1.
///
/// The hashes are written in the very transaction that writes the events, so a reader never sees one without the other.
/// Entries themselves are read from the `EventFeed`, and the place of an event of a stream from the `EventStore`.
/// Every implementation passes the same contract suite (`LogTreeContract`).
package protocol LogTree: Sendable {
    /// The right edge of the tree over all events: its size and, from it, its root.
    ///
    /// - Throws: `unavailable`; `corrupt` when what is stored is no frontier, or of another size than the events.
    func frontier() async throws(EventStoreError) -> Frontier

    /// Stored hashes, for each range its own, in order; all ranges from one snapshot. A range may end early where the
    /// store has fewer hashes.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func hashes(_ ranges: [HashRange]) async throws(EventStoreError) -> [[Hash]]

    /// Where each stream ended when the log had its first `size` entries, sorted by stream.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func heads(ofSize size: Int) async throws(EventStoreError) -> [Head]
}

/// Keeps the last checkpoint that was signed, in a place that is not the database: a file next to it, or an object in a
/// bucket. Every implementation passes the same contract suite (`CheckpointStoreContract`).
package protocol CheckpointStore: Sendable {
    /// The bytes of the last note that was stored; nil before the first.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func last() async throws(EventStoreError) -> [UInt8]?

    /// Stores a note where the last one is still `old`, byte for byte, and returns once that is durable.
    ///
    /// - Returns: false, with nothing written, where another one stands there by now.
    /// - Throws: `unavailable`. It is not known then whether the note was stored.
    func replace(_ old: [UInt8]?, with new: [UInt8]) async throws(EventStoreError) -> Bool
}

/// Signs notes with a key that may live elsewhere: in a file, or in KMS.
package protocol NoteSigner: Sendable {
    /// The public half of the key; its name is the origin of the log.
    var key: VerifierKey { get }

    /// Signs the text of a note.
    ///
    /// - Throws: `unavailable` when the key can't be reached, `invalid` when it can't sign.
    func sign(_ text: String) async throws(EventStoreError) -> NoteSignature
}

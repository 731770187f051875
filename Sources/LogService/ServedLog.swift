package import EventStore
package import TransparencyLog

/// The log as anybody may ask for it: its last checkpoint, tiles, entries, and proofs against that checkpoint.
///
/// Nothing is given out that the last checkpoint does not cover, and no proof that does not hold.
package struct ServedLog: Sendable {
    private let tree: any LogTree
    private let feed: any EventFeed
    private let streams: any StreamReader
    private let checkpoints: any CheckpointStore
    private let signer: any NoteSigner
    private let memory: HeadsMemory

    /// - Parameter feed: gives the entries in the order of the log.
    /// - Parameter streams: gives the events of one stream with their places in that order.
    package init(
        tree: any LogTree, feed: any EventFeed, streams: any StreamReader, checkpoints: any CheckpointStore,
        signer: any NoteSigner
    ) {
        (self.tree, self.feed, self.streams) = (tree, feed, streams)
        (self.checkpoints, self.signer) = (checkpoints, signer)
        memory = HeadsMemory(tree: tree, feed: feed, signer: signer)
    }

    /// What the log's signatures are checked with.
    package var key: VerifierKey { signer.key }

    /// The last checkpoint with all its signatures; nil before the first one.
    ///
    /// - Throws: `corrupt` where what is stored is not signed by the log's key; `unavailable`.
    package func last() async throws(EventStoreError) -> SignedCheckpoint? {
        guard let bytes = try await checkpoints.last() else { return nil }
        return try translating(to: .corrupt) { () throws(TransparencyError) in
            try SignedCheckpoint(try SignedNote(bytes), by: [signer.key])
        }
    }

    /// The bytes of a tile or of an entry bundle.
    ///
    /// - Precondition: a log of the last checkpoint's size has it.
    /// - Throws: `corrupt` where the store has less than that; `unavailable`.
    package func content(of path: TilePath) async throws(EventStoreError) -> [UInt8] {
        let range = path.range
        switch path.content {
        case .hashes:
            let hashes = try await tree.hashes([range]).first ?? []
            guard hashes.count == range.count else { throw Self.lacking("\(path)") }
            return Tile.encode(hashes)
        case .entries:
            let events = try await feed.events(after: range.start, limit: range.count)
            guard events.count == range.count else { throw Self.lacking("\(path)") }
            return try translating(to: .corrupt) { () throws(TransparencyError) in
                try EntryBundle.encode(events.map(\.entry.bytes))
            }
        }
    }

    private static func lacking(_ what: String) -> EventStoreError {
        EventStoreError(
            .corrupt, message: "the store lacks \(what), which the last checkpoint covers: run `ledger verify`")
    }
}

// MARK: - Proofs

extension ServedLog {
    /// That an event is in the log. The entry goes with the proof, as what nobody has signed: its hash is what is
    /// proved.
    ///
    /// - Returns: nil where the last checkpoint covers no such event.
    /// - Throws: `corrupt` where the store contradicts the checkpoint; `unavailable`.
    package func proof(
        of stream: StreamID, version: Int, at last: SignedCheckpoint
    ) async throws(EventStoreError) -> LogProof? {
        guard let event = try await streams.read(stream, from: version).first, event.version == version else {
            return nil
        }
        guard let item = try await items([event], at: last.checkpoint).first else { return nil }
        return LogProof(index: item.index, hashes: item.proof, note: last.note, extra: item.entry)
    }

    /// All events of an appointment that the last checkpoint covers, with the proof that they are all; or that there is
    /// none.
    ///
    /// - Throws: `corrupt` where the store contradicts the checkpoint; `unavailable`.
    package func history(
        of stream: StreamID, at last: SignedCheckpoint
    ) async throws(EventStoreError) -> HistoryProof {
        let events = try await streams.read(stream)
        let items = try await items(events, at: last.checkpoint)
        let snapshot = try await memory.snapshot(at: last.checkpoint)
        let proof = HistoryProof(
            stream: stream, checkpoint: last.note, items: items, headsNote: snapshot.note,
            head: snapshot.heads.answer(for: stream))
        try translating(to: .corrupt) { () throws(TransparencyError) in
            _ = try proof.verify(by: TrustPolicy(log: key))
        }
        return proof
    }

    /// That the log of a size goes on from an older size.
    ///
    /// - Parameter size: at most that of the last checkpoint, which is taken where none is given. A checkpoint of a
    ///   smaller size is signed for the proof alone.
    /// - Returns: nil where the sizes are not `0 <= old <= size <= last`.
    /// - Throws: `corrupt` where the store contradicts the checkpoint; `unavailable`.
    package func consistency(
        from old: Int, to size: Int? = nil, at last: SignedCheckpoint
    ) async throws(EventStoreError) -> ConsistencyProof? {
        let size = size ?? last.checkpoint.size
        guard old >= 0, old <= size, size <= last.checkpoint.size else { return nil }
        var note = last.note
        if size < last.checkpoint.size {
            guard let root = try await provenRoot(ofSize: size, in: last.checkpoint) else {
                throw Self.contradiction
            }
            let text = try translating(to: .invalid) { () throws(TransparencyError) in
                try Checkpoint(origin: key.name, size: size, root: root).text
            }
            note = try await signer.note(over: text)
        }
        var hashes: [Hash] = []
        if let plan = TreePlan.consistency(from: old, to: size) { hashes = try await tree.hashes(of: plan) }
        let proof = ConsistencyProof(
            oldSize: old, oldRoot: try await tree.root(ofSize: old), hashes: hashes, note: note)
        try translating(to: .corrupt) { () throws(TransparencyError) in
            _ = try proof.verify(by: TrustPolicy(log: key))
        }
        return proof
    }

    /// The root at a smaller size, once it is proved that a checkpoint goes on from it; nil where it does not.
    private func provenRoot(ofSize size: Int, in checkpoint: Checkpoint) async throws(EventStoreError) -> Hash? {
        guard let plan = TreePlan.consistency(from: size, to: checkpoint.size) else { return MerkleTree.emptyRoot }
        let found = try await tree.hashes(of: [.root(ofSize: size), plan])
        let root = found[0][0]
        let holds = TreeProof.connects((size, root), to: (checkpoint.size, checkpoint.root), proof: found[1])
        return holds ? root : nil
    }

    /// The events that a checkpoint covers, each with its proof.
    private func items(
        _ events: [RecordedEvent], at checkpoint: Checkpoint
    ) async throws(EventStoreError) -> [HistoryProof.Item] {
        var covered: [(index: Int, entry: [UInt8], plan: TreePlan)] = []
        for event in events {
            // Without a position the store's order is not the log's.
            guard let position = event.position else { throw Self.contradiction }
            guard let plan = TreePlan.inclusion(of: position - 1, inSize: checkpoint.size) else { continue }
            covered.append((position - 1, event.entry.bytes, plan))
        }
        let proofs = try await tree.hashes(of: covered.map(\.plan))
        return try zip(covered, proofs).map { event, proof throws(EventStoreError) in
            let leaf = Hash.leaf(of: event.entry)
            let (size, root) = (checkpoint.size, checkpoint.root)
            guard TreeProof.includes(leaf, index: event.index, size: size, root: root, proof: proof) else {
                throw Self.contradiction
            }
            return HistoryProof.Item(index: event.index, entry: event.entry, proof: proof)
        }
    }

    private static let contradiction = EventStoreError(
        .corrupt, message: "the store is not what its last checkpoint was signed over: run `ledger verify`")
}

import EventStore
package import TransparencyLog

/// Follows a log from outside: demands that each checkpoint goes on from the one before, reads what is new, and checks
/// each entry against what was signed.
package struct Monitor: Sendable {
    private let source: any LogSource
    private let policy: TrustPolicy
    private let store: any MonitorStore
    private let isOpaque: Bool

    /// - Parameter isOpaque: entries are bytes of any kind: only their hashes are checked.
    package init(_ source: any LogSource, policy: TrustPolicy, store: any MonitorStore, isOpaque: Bool = false) {
        (self.source, self.policy, self.store, self.isOpaque) = (source, policy, store, isOpaque)
    }

    /// What a look at a log has shown.
    package struct Sighting: Sendable {
        /// How the checkpoint stands to the one before.
        package enum Change: String, Sendable {
            case first
            case grown
            case same
            /// It is an older one that fits: the log was cut off or put back, or an old copy is served.
            case smaller
        }

        package let change: Change
        package let checkpoint: TrustedCheckpoint
        /// How many entries were checked by now.
        package let read: Int
        /// The size that was accepted before; nil for the first time.
        package let before: Int?
    }

    /// Looks at the log once: at its checkpoint, and at all entries that were not read yet.
    ///
    /// - Parameter progress: is told how many entries of how many were read.
    package func look(
        progress: @Sendable (_ read: Int, _ size: Int) -> Void = { _, _ in }
    ) async throws(MonitorFailure) -> Sighting {
        let (note, trusted) = try await checkpoint()
        let state = try await kept()
        let last = try state.map { state throws(MonitorFailure) in try Kept(state) }
        if let state, state.isOpaque != isOpaque {
            throw .mismatch(
                "the entries of this log were followed \(state.isOpaque ? "with" : "without") --opaque here")
        }
        let checkpoint = trusted.checkpoint
        if let last, !last.checkpoint.origin.utf8.elementsEqual(checkpoint.origin.utf8) {
            throw .mismatch(
                """
                this is the log \(checkpoint.origin), and \(last.checkpoint.origin) was followed here: take another \
                --data
                """
            )
        }
        if let last, checkpoint.size < last.checkpoint.size {
            try await requireFitting(note, checkpoint, last)
            return Sighting(change: .smaller, checkpoint: trusted, read: last.read, before: last.checkpoint.size)
        }
        var tiles = ProvenTiles(source, checkpoint)
        let before = last?.checkpoint.size ?? 0
        let read = last?.read ?? 0
        let isSame = last != nil && before == checkpoint.size
        if let last, isSame, last.checkpoint.root != checkpoint.root {
            throw .forked(ForkEvidence(earlier: last.note, later: note, proof: []))
        }
        if !isSame || read < checkpoint.size { try await tiles.open() }
        if let last, !isSame { try await requireGrowth(note, from: last, &tiles) }
        if !isSame {
            // Kept before the entries are read: whatever they are, the log has signed this.
            try await keeping { store throws(EventStoreError) in
                try await store.accept(note.bytes, isOpaque: isOpaque)
            }
        }
        try await readEntries(from: read, &tiles, progress)
        return Sighting(
            change: last == nil ? .first : isSame ? .same : .grown, checkpoint: trusted, read: checkpoint.size,
            before: last?.checkpoint.size)
    }

    /// What is kept of a log, read.
    private struct Kept {
        let note: SignedNote
        let checkpoint: Checkpoint
        let read: Int

        init(_ state: MonitorState) throws(MonitorFailure) {
            do throws(TransparencyError) {
                note = try SignedNote(state.note)
                checkpoint = try Checkpoint(text: note.text)
            } catch {
                throw .store(
                    EventStoreError(.corrupt, message: "what the monitor keeps is no checkpoint: \(error.message)"))
            }
            read = state.read
        }
    }
}

// MARK: - The checkpoint

extension Monitor {
    private func checkpoint() async throws(MonitorFailure) -> (SignedNote, TrustedCheckpoint) {
        let bytes: [UInt8]?
        do throws(NoAnswer) {
            bytes = try await source.read("checkpoint", maximumBytes: SignedNote.maximumBytes)
        } catch {
            throw .unreachable(error.description)
        }
        guard let bytes else { throw .unreachable("there is no checkpoint at this address") }
        do throws(TransparencyError) {
            let note = try SignedNote(bytes)
            let trusted = try policy.judge(note)
            guard trusted.checkpoint.size > 0 || trusted.checkpoint.root == MerkleTree.emptyRoot else {
                throw TransparencyError(.malformed, "it has no entry and another root than the empty tree")
            }
            return (note, trusted)
        } catch {
            throw .untrusted(error)
        }
    }

    /// That a larger log goes on from the one before. All hashes were checked up to the root that was signed, so a
    /// proof that does not hold shows a fork.
    private func requireGrowth(
        _ note: SignedNote, from last: Kept, _ tiles: inout ProvenTiles
    ) async throws(MonitorFailure) {
        let (old, new) = (last.checkpoint, tiles.checkpoint)
        // Any tree goes on from the empty one.
        guard let plan = TreePlan.consistency(from: old.size, to: new.size) else { return }
        let proof = try await tiles.hashes(of: plan)
        guard TreeProof.connects((old.size, old.root), to: (new.size, new.root), proof: proof) else {
            throw .forked(ForkEvidence(earlier: last.note, later: note, proof: proof))
        }
    }

    /// That a smaller log is the beginning of the one before, as far as its leaves are kept here.
    private func requireFitting(
        _ note: SignedNote, _ checkpoint: Checkpoint, _ last: Kept
    ) async throws(MonitorFailure) {
        guard checkpoint.size <= last.read else { return }
        var frontier = Frontier()
        while frontier.size < checkpoint.size {
            let tile = frontier.size / TilePath.fullWidth
            let leaves = try await keeping { store throws(EventStoreError) in try await store.leaves(ofTile: tile) }
            let wanted = min(TilePath.fullWidth, checkpoint.size - frontier.size)
            guard leaves.count >= wanted else {
                throw .store(
                    EventStoreError(.corrupt, message: "the monitor lacks leaves that it has read: take another --data")
                )
            }
            for leaf in leaves.prefix(wanted) { frontier.append(leaf) }
        }
        guard frontier.root == checkpoint.root else {
            throw .forked(ForkEvidence(earlier: last.note, later: note, proof: []))
        }
    }

    private func kept() async throws(MonitorFailure) -> MonitorState? {
        try await keeping { store throws(EventStoreError) in try await store.state() }
    }

    private func keeping<Value: Sendable>(
        _ body: (any MonitorStore) async throws(EventStoreError) -> Value
    ) async throws(MonitorFailure) -> Value {
        do throws(EventStoreError) {
            return try await body(store)
        } catch {
            throw .store(error)
        }
    }
}

// MARK: - The entries

extension Monitor {
    private func readEntries(
        from start: Int, _ tiles: inout ProvenTiles, _ progress: @Sendable (_ read: Int, _ size: Int) -> Void
    ) async throws(MonitorFailure) {
        let size = tiles.checkpoint.size
        var read = start
        while read < size {
            let tile = read / TilePath.fullWidth
            let leaves = try await tiles.hashes(level: 0, tile: tile)
            let entries = try await tiles.entries(ofBundle: tile)
            let known = read % TilePath.fullWidth
            for (place, entry) in entries.enumerated() where Hash.leaf(of: entry) != leaves[place] {
                throw .damaged("entry \(tile * TilePath.fullWidth + place) is not the one that the log has signed")
            }
            let heads = isOpaque ? [] : try await heads(after: entries[known...], from: read)
            let part = MonitoredPart(tile: tile, leaves: leaves, known: known, heads: heads)
            try await keeping { store throws(EventStoreError) in try await store.take(part) }
            read = part.range.upperBound
            progress(read, size)
        }
    }

    /// How far the streams of some entries have come with them: each entry is the next version of its stream and names
    /// the leaf of the one before.
    private func heads(after entries: ArraySlice<[UInt8]>, from start: Int) async throws(MonitorFailure) -> [Head] {
        var parsed: [Entry] = []
        for (offset, bytes) in entries.enumerated() {
            do throws(JSONError) {
                parsed.append(try Entry(bytes))
            } catch {
                throw .damaged("entry \(start + offset) is none of a ledger of appointments (\(error)): try --opaque")
            }
        }
        let streams = Set(parsed.map(\.stream))
        var heads = try await keeping { store throws(EventStoreError) in try await store.heads(of: streams) }
        for (offset, entry) in parsed.enumerated() {
            let head = heads[entry.stream]
            guard entry.version == (head?.version ?? 0) + 1, entry.previous == head?.leaf else {
                throw .damaged(
                    """
                    entry \(start + offset) is version \(entry.version) of \(entry.stream), and does not go on from \
                    version \(head?.version ?? 0), the last one before it
                    """)
            }
            heads[entry.stream] = Head(
                stream: entry.stream, version: entry.version, leaf: Hash.leaf(of: entry.bytes))
        }
        return Array(heads.values)
    }
}

import EventStore
import TransparencyLog

/// Keeps the heads tree of the last checkpoint that was asked for, with its note. The next one is made from it and from
/// the events between, so that only the first takes long.
actor HeadsMemory {
    /// The heads at a checkpoint.
    struct Snapshot: Sendable {
        let checkpoint: Checkpoint
        let heads: HeadsTree
        /// The note over the heads tree.
        let note: SignedNote
    }

    private let tree: any LogTree
    private let feed: any EventFeed
    private let signer: any NoteSigner
    /// What is made now or was made last: others wait for it rather than make it as well.
    private var work: (checkpoint: Checkpoint, task: Task<Result<Snapshot, EventStoreError>, Never>)?

    /// How many events may lie between two checkpoints before all heads are read again.
    private static let maximumStep = 50_000
    private static let page = 1000

    init(tree: any LogTree, feed: any EventFeed, signer: any NoteSigner) {
        (self.tree, self.feed, self.signer) = (tree, feed, signer)
    }

    /// The heads of the log when it had the size of a checkpoint.
    ///
    /// - Throws: `corrupt` where the tree does not have the root of the checkpoint: such heads are not signed;
    ///   `unavailable`.
    func snapshot(at checkpoint: Checkpoint) async throws(EventStoreError) -> Snapshot {
        if let work, work.checkpoint == checkpoint {
            let known = await work.task.value
            // What failed is tried again, once by each who asks.
            if case .success(let snapshot) = known { return snapshot }
        }
        let before = work?.task
        let task = Task { () -> Result<Snapshot, EventStoreError> in
            let base = try? await before?.value.get()
            do throws(EventStoreError) {
                return .success(try await self.make(checkpoint, from: base))
            } catch {
                return .failure(error)
            }
        }
        work = (checkpoint, task)
        return try await task.value.get()
    }

    private func make(
        _ checkpoint: Checkpoint, from base: Snapshot?
    ) async throws(EventStoreError) -> Snapshot {
        if let base, base.checkpoint == checkpoint { return base }
        guard try await tree.root(ofSize: checkpoint.size) == checkpoint.root else {
            throw EventStoreError(
                .corrupt, message: "the log is not the one of its last checkpoint: `ledger checkpoint show` says more")
        }
        let heads = try await heads(ofSize: checkpoint.size, from: base)
        let text = try translating(to: .invalid) { () throws(TransparencyError) in
            try HeadsCheckpoint(
                origin: signer.key.name, logSize: checkpoint.size, size: heads.size, root: heads.root
            ).checkpoint().text
        }
        return Snapshot(checkpoint: checkpoint, heads: heads, note: try await signer.note(over: text))
    }

    private func heads(ofSize size: Int, from base: Snapshot?) async throws(EventStoreError) -> HeadsTree {
        if let base, base.checkpoint.size <= size, size - base.checkpoint.size <= Self.maximumStep {
            var (heads, changes, place) = (base.heads, [StreamID: Head](), base.checkpoint.size)
            while place < size {
                let links = try await feed.links(after: place, limit: min(Self.page, size - place))
                guard !links.isEmpty else { break }
                for link in links {
                    changes[link.stream] = Head(stream: link.stream, version: link.version, leaf: link.leaf)
                }
                place += links.count
            }
            if place == size {
                heads.update(Array(changes.values))
                return heads
            }
        }
        let all = try await tree.heads(ofSize: size)
        return try translating(to: .corrupt) { () throws(TransparencyError) in try HeadsTree(all) }
    }
}

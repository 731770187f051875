package import EventStore
package import TransparencyLog

/// Signs checkpoints, each only once it is proved from the tree that it goes on from the last one that was signed.
///
/// The last one stands in a place that is not the database, and the next takes its place by a compare-and-set on its
/// bytes: a process that wakes late, and a database that was put back to an older copy, sign nothing.
package struct Checkpointer: Sendable {
    package let tree: any LogTree
    package let store: any CheckpointStore
    package let signer: any NoteSigner

    /// How often another process may have signed in between before it is given up for now.
    private static let maximumTries = 8

    package init(tree: any LogTree, store: any CheckpointStore, signer: any NoteSigner) {
        (self.tree, self.store, self.signer) = (tree, store, signer)
    }

    /// What was read to compare the tree with the last checkpoint.
    private struct Comparison {
        let standing: LogStanding
        /// The bytes of the last checkpoint.
        let last: [UInt8]?
        let frontier: Frontier?
    }

    /// How the tree stands to the last checkpoint. Nothing is signed.
    ///
    /// - Throws: `unavailable`.
    package func standing() async throws(EventStoreError) -> LogStanding { try await compare().standing }

    /// Signs the tree as it is, if it has grown and goes on from the last checkpoint, and stores that. A checkpoint is
    /// given to nobody before it is stored.
    ///
    /// - Returns: how the tree stands to the last checkpoint now.
    /// - Throws: `unavailable` when something did not answer: whether a checkpoint was stored is seen the next time.
    package func sign() async throws(EventStoreError) -> LogStanding {
        for _ in 0..<Self.maximumTries {
            let found = try await compare()
            guard found.standing.state == .due, let frontier = found.frontier else { return found.standing }
            let note = try await signer.note(over: try text(of: frontier))
            if try await replace(found.last, with: note.bytes) {
                return LogStanding(.signed, size: frontier.size, signed: frontier.size)
            }
        }
        throw EventStoreError(.unavailable, message: "other processes keep signing checkpoints: try again")
    }

    /// Begins a log of the signer's origin over the tree as it is, whatever checkpoint stands there: an operator has
    /// decided that it no longer holds.
    ///
    /// - Parameter old: the bytes of the checkpoint that is given up.
    /// - Returns: the first checkpoint of the new log.
    /// - Throws: `invalid` when another checkpoint stands there by now, or there is nothing to sign; `unavailable`.
    package func begin(instead old: [UInt8]?) async throws(EventStoreError) -> SignedNote {
        let frontier = try await tree.frontier()
        guard frontier.size > 0 else {
            throw EventStoreError(.invalid, message: "the ledger has no event yet: there is nothing to sign")
        }
        let note = try await signer.note(over: try text(of: frontier))
        guard try await replace(old, with: note.bytes) else {
            throw EventStoreError(
                .invalid, message: "another checkpoint was stored meanwhile: stop the server, and try again")
        }
        return note
    }

    /// Adds signatures of witnesses to a checkpoint, where it is still the last one.
    ///
    /// - Returns: false, with nothing stored, where it is not, or has too many signatures.
    /// - Throws: `unavailable`.
    package func add(_ signatures: [NoteSignature], to note: SignedNote) async throws(EventStoreError) -> Bool {
        var cosigned = note
        do throws(TransparencyError) {
            for signature in signatures { try cosigned.add(signature) }
        } catch {
            return false
        }
        return try await replace(note.bytes, with: cosigned.bytes)
    }

    /// Stores a checkpoint; where the answer is lost, whether it was stored is read.
    private func replace(_ old: [UInt8]?, with new: [UInt8]) async throws(EventStoreError) -> Bool {
        do throws(EventStoreError) {
            return try await store.replace(old, with: new)
        } catch {
            guard error.code == .unavailable, try await store.last() == new else { throw error }
            return true
        }
    }

    private func text(of frontier: Frontier) throws(EventStoreError) -> String {
        try translating(to: .invalid) { () throws(TransparencyError) in
            try Checkpoint(origin: signer.key.name, size: frontier.size, root: frontier.root).text
        }
    }
}

// MARK: - Comparing

extension Checkpointer {
    private func compare() async throws(EventStoreError) -> Comparison {
        // The checkpoint first: the tree may grow meanwhile, and must not look smaller than what is signed of it.
        let bytes: [UInt8]?
        let frontier: Frontier
        do throws(EventStoreError) {
            bytes = try await store.last()
            frontier = try await tree.frontier()
        } catch {
            guard error.code == .corrupt else { throw error }
            return Comparison(
                standing: LogStanding(.damaged, size: nil, signed: nil, problem: error.message), last: nil,
                frontier: nil)
        }
        return Comparison(standing: try await standing(of: frontier, to: bytes), last: bytes, frontier: frontier)
    }

    private func standing(of frontier: Frontier, to bytes: [UInt8]?) async throws(EventStoreError) -> LogStanding {
        let size = frontier.size
        guard let bytes else { return LogStanding(size == 0 ? .empty : .due, size: size, signed: nil) }
        let last: Checkpoint
        do throws(TransparencyError) {
            let note = try SignedNote(bytes)
            last = try Checkpoint(text: note.text)
            guard last.belongs(to: signer.key) else { return foreign(last, size) }
            _ = try SignedCheckpoint(note, by: [signer.key])
        } catch {
            let problem = """
                the last checkpoint can't be believed (\(error.message)): put back the file that was there, with the \
                key that signed it
                """
            return LogStanding(.damaged, size: size, signed: nil, problem: problem)
        }
        return try await standing(of: frontier, to: last)
    }

    private func standing(
        of frontier: Frontier, to last: Checkpoint
    ) async throws(EventStoreError) -> LogStanding {
        let size = frontier.size
        if size < last.size {
            let problem = """
                the log has \(size) events, and had \(last.size) at its last checkpoint: it was cut off, or put back \
                to an older copy. Put back the newer one, or begin a new log with `ledger checkpoint begin`
                """
            return LogStanding(.cutOff, size: size, signed: last.size, problem: problem)
        }
        if size == last.size, frontier.root == last.root { return LogStanding(.signed, size: size, signed: size) }
        guard size > last.size, try await goesOn(frontier, from: last) else {
            let problem = """
                the log does not go on from its last checkpoint, at \(last.size) events: it was put back to an older \
                copy and has gone another way, or events were changed. `ledger verify` shows whether they hold; put \
                back the right copy, or begin a new log with `ledger checkpoint begin`
                """
            return LogStanding(.forked, size: size, signed: last.size, problem: problem)
        }
        return LogStanding(.due, size: size, signed: last.size)
    }

    /// Whether the tree goes on from a checkpoint, by the proof that anybody would be given. Hashes that the tree lacks
    /// prove nothing.
    private func goesOn(_ frontier: Frontier, from last: Checkpoint) async throws(EventStoreError) -> Bool {
        guard let plan = TreePlan.consistency(from: last.size, to: frontier.size) else {
            return last.size == 0 && last.root == MerkleTree.emptyRoot
        }
        let proof = try await unlessDamaged { () throws(EventStoreError) in try await tree.hashes(of: plan) }
        guard let proof else { return false }
        return TreeProof.connects((last.size, last.root), to: (frontier.size, frontier.root), proof: proof)
    }

    private func foreign(_ last: Checkpoint, _ size: Int) -> LogStanding {
        let problem = """
            the last checkpoint is of the log \(last.origin), and the key is of \(signer.key.name): put back the \
            key of that log, or begin a new one with `ledger checkpoint begin`
            """
        return LogStanding(.foreign, size: size, signed: last.size, problem: problem)
    }
}

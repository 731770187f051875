package import EventStore

/// What a witness decides (C2SP tlog-witness, "add-checkpoint"), from the request and what it signed last. Reading that
/// and storing the new checkpoint is one step of the caller's: between the two nothing may be stored.
package enum WitnessRule {
    /// What a witness keeps of a log: the size and the root that it signed last.
    package struct Last: Equatable, Sendable {
        package let size: Int
        package let root: Hash

        package init(size: Int, root: Hash) { (self.size, self.root) = (size, root) }
    }

    /// What is to be done.
    package enum Decision: Sendable {
        /// Store this checkpoint, then sign its note's text and answer with the signature.
        case sign(SignedCheckpoint)
        /// Store nothing and answer this.
        case answer(AddCheckpointAnswer)
    }

    /// Decides on a request.
    ///
    /// - Parameter keys: the keys of all logs that the witness knows. A log is known by the name of its keys.
    /// - Parameter last: what the witness signed last of a log; nil for nothing.
    package static func decide(
        _ request: AddCheckpointRequest, keys: [VerifierKey], last: (_ origin: String) throws -> Last?
    ) rethrows -> Decision {
        guard let checkpoint = try? Checkpoint(text: request.note.text) else { return .answer(.badRequest) }
        let keys = keys.filter { checkpoint.belongs(to: $0) }
        guard !keys.isEmpty else { return .answer(.unknownOrigin) }
        guard let signed = try? SignedCheckpoint(request.note, by: keys) else { return .answer(.forbidden) }
        guard request.oldSize <= checkpoint.size else { return .answer(.badRequest) }
        let last = try last(checkpoint.origin)
        guard request.oldSize == last?.size ?? 0 else { return .answer(.conflict(size: last?.size ?? 0)) }
        return goesOn(checkpoint, from: last, by: request.proof) ? .sign(signed) : .answer(.unprocessable)
    }

    private static func goesOn(_ checkpoint: Checkpoint, from last: Last?, by proof: [Hash]) -> Bool {
        if checkpoint.size == 0, checkpoint.root != MerkleTree.emptyRoot { return false }
        // Any tree goes on from the empty one, and no proof is needed or taken.
        guard let last, last.size > 0 else { return proof.isEmpty }
        return TreeProof.connects((last.size, last.root), to: (checkpoint.size, checkpoint.root), proof: proof)
    }
}

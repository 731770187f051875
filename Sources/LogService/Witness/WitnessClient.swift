import EventStore
package import TransparencyLog

/// One witness as a log sees it: where it is, its key, and what it is known to have signed last.
package struct WitnessClient: Sendable {
    /// Its key, for cosignatures.
    package let key: VerifierKey
    /// Where it takes checkpoints: its submission prefix (C2SP tlog-witness, "HTTP Interface").
    package let url: String
    private let send: Send

    /// Posts a body to an address and gives what came back, of which no more is read than `AddCheckpointAnswer` allows;
    /// fails in a bounded time when nothing comes.
    package typealias Send = @Sendable (_ url: String, _ body: [UInt8]) async -> Result<Reply, NoAnswer>

    /// What came back.
    package struct Reply: Sendable {
        package let status: Int
        package let contentType: String?
        package let body: [UInt8]

        package init(status: Int, contentType: String?, body: [UInt8]) {
            (self.status, self.contentType, self.body) = (status, contentType, body)
        }
    }

    /// How a request ended.
    package enum Outcome: Sendable {
        /// The witness has signed; the signature was checked.
        case cosigned(NoteSignature)
        /// It did not answer, or with something that is no answer. It is asked again later.
        case away(String)
        /// It does not sign, for a reason that an operator can mend, such as a key that it does not know.
        case refused(String)
        /// It has signed something that this log does not go on from: the log was put back, or it has forked.
        case contradicted(String)
    }

    /// The most requests for one checkpoint: the first, and one after each size that the witness names.
    private static let attempts = 3

    package init(_ key: VerifierKey, at url: String, send: @escaping Send) {
        (self.key, self.send) = (key, send)
        self.url = String(url.reversed().drop { $0 == "/" }.reversed())
    }

    /// Asks for a signature on a checkpoint.
    ///
    /// - Parameter known: the size that the witness signed last, as far as is known; 0 where nothing is. It becomes
    ///   what the witness says.
    /// - Parameter tree: what proofs are made from; it has at least the checkpoint's size.
    package func ask(for checkpoint: SignedCheckpoint, known: inout Int, tree: any LogTree) async -> Outcome {
        let size = checkpoint.checkpoint.size
        for _ in 0..<Self.attempts {
            guard known <= size else {
                let ahead = known
                // What it names once, wrong or right, is not believed for ever.
                known = 0
                return .contradicted(
                    """
                    the witness has signed \(ahead) entries of this log, which has \(size) now: it was put back to an \
                    older copy, or its end was cut off
                    """)
            }
            let answer: AddCheckpointAnswer
            do {
                answer = try await send(checkpoint.note, from: known, to: size, tree)
            } catch {
                return .away("\(error)")
            }
            switch answer {
            case .cosigned(let signatures): return take(signatures, checkpoint, known: &known)
            case .conflict(let last) where last == known:
                return .away("it says that it signed the size \(last) last, and then that it did not")
            case .conflict(let last): known = last
            case .unprocessable:
                return .contradicted("the witness has signed another log of this name at size \(known)")
            case .forbidden: return .refused("it does not have this log's key: add it to the witness' policy")
            case .unknownOrigin:
                return .refused("it does not know \(checkpoint.checkpoint.origin): add it to the witness' policy")
            case .badRequest: return .refused("it can't read the request")
            }
        }
        return .away("it names another size each time")
    }

    private func send(
        _ note: SignedNote, from old: Int, to size: Int, _ tree: any LogTree
    ) async throws -> AddCheckpointAnswer {
        var proof: [Hash] = []
        // From the empty tree there is no plan, and no proof is needed.
        if let plan = TreePlan.consistency(from: old, to: size) {
            proof = try plan.hashes(from: try await tree.hashes(plan.reads))
        }
        let request = AddCheckpointRequest(oldSize: old, proof: proof, note: note)
        let reply = try await send(url + "/add-checkpoint", request.bytes).get()
        return try AddCheckpointAnswer(status: reply.status, contentType: reply.contentType, body: reply.body)
    }

    /// The signature of this witness among those that came; others are passed over.
    private func take(
        _ signatures: [NoteSignature], _ checkpoint: SignedCheckpoint, known: inout Int
    ) -> Outcome {
        do throws(TransparencyError) {
            var note = try SignedNote(text: checkpoint.note.text)
            let verified = try note.add(signatures, by: [key])
            guard let signature = verified.first, let time = signature.time, time > 0 else {
                return .refused("its signature has no time: is \(key.name) the key of a witness?")
            }
            known = checkpoint.checkpoint.size
            return .cosigned(signature.signature)
        } catch {
            return .refused("its answer has no signature that is right: \(error.message)")
        }
    }
}

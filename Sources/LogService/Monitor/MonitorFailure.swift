package import EventStore
package import TransparencyLog

/// Why a look at a log did not end well.
package enum MonitorFailure: Error, Sendable {
    /// The log did not answer. It is asked again later.
    case unreachable(String)
    /// The log does not serve what its checkpoint covers.
    case missing(String)
    /// What it serves as its checkpoint can't be read, or is not signed as the policy wants.
    case untrusted(TransparencyError)
    /// It is another log than the one that was followed here, or it is to be read in another way.
    case mismatch(String)
    /// What it serves is not what it has signed, or entries contradict each other.
    case damaged(String)
    /// It has signed two checkpoints of which one does not go on from the other.
    case forked(ForkEvidence)
    /// What the monitor keeps can't be read or written.
    case store(EventStoreError)
}

extension MonitorFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let what): "the log does not answer: \(what)"
        case .missing(let what): "the log does not serve \(what), which it has signed"
        case .untrusted(let error): "the checkpoint is not to be trusted: \(error.message)"
        case .mismatch(let what), .damaged(let what): what
        case .forked(let evidence): evidence.summary
        case .store(let error): error.message
        }
    }
}

/// Two checkpoints that a log has signed, of which neither goes on from the other: whoever has its key can see that it
/// showed two histories.
package struct ForkEvidence: Sendable {
    /// The one that was accepted.
    package let earlier: SignedNote
    /// The one that does not fit.
    package let later: SignedNote
    /// What the log's own tiles prove of the later one and of the earlier one's size (RFC 9162 section 2.1.4.1); empty
    /// where the sizes are equal or the later one is smaller.
    package let proof: [Hash]

    package init(earlier: SignedNote, later: SignedNote, proof: [Hash]) {
        (self.earlier, self.later, self.proof) = (earlier, later, proof)
    }

    /// What was found, in one sentence.
    package var summary: String {
        let sizes = [earlier, later].map { (try? Checkpoint(text: $0.text))?.size ?? 0 }
        return
            "the log has forked: it has signed one history with \(sizes[0]) entries, and with \(sizes[1]) another one"
    }

    /// A text to keep and to show: both notes as they were signed, and the proof, one hash a line. The format is ours.
    package var bytes: [UInt8] {
        let part = { (name: String) in Array("\(name)\n".utf8) }
        return part("appointment-ledger/fork@v1\nearlier") + earlier.bytes + part("\nlater") + later.bytes
            + part("\nproof") + proof.flatMap { part($0.description) }
    }
}

package import EventStore

/// That these are all events of an appointment when the log had a certain size, checkable without asking anybody. The
/// format is ours: `appointment-ledger/history@v1`.
package struct HistoryProof: Sendable {
    /// An event of the history.
    package struct Item: Sendable {
        /// The place of its leaf in the log, counted from 0.
        package let index: Int
        /// The bytes of the entry.
        package let entry: [UInt8]
        /// The inclusion proof in the log (RFC 9162 section 2.1.3.1).
        package let proof: [Hash]

        package init(index: Int, entry: [UInt8], proof: [Hash]) {
            (self.index, self.entry, self.proof) = (index, entry, proof)
        }
    }

    package let stream: StreamID
    /// The checkpoint of the log, with its signatures.
    package let checkpoint: SignedNote
    package let items: [Item]
    /// The note over the heads tree at the size of the checkpoint.
    package let headsNote: SignedNote
    /// The last head of the stream, or that it has none.
    package let head: HeadAnswer

    /// The most bytes of a proof that are read. The limits of this type are ours.
    package static let maximumBytes = 16 * 1024 * 1024
    /// The most events of one history. An appointment has five or six.
    package static let maximumItems = 1024

    package init(
        stream: StreamID, checkpoint: SignedNote, items: [Item], headsNote: SignedNote, head: HeadAnswer
    ) {
        (self.stream, self.checkpoint, self.items) = (stream, checkpoint, items)
        (self.headsNote, self.head) = (headsNote, head)
    }
}

// MARK: - Verification

/// A history that was checked.
package struct ProvenHistory: Sendable {
    /// Who signed what.
    package let trusted: TrustedCheckpoint
    /// The entries, from version 1 on; none where the log has no such appointment.
    package let entries: [Entry]
}

extension HistoryProof {
    /// Checks all of it: the checkpoint by the policy (C2SP tlog-policy), each entry's stream, version, chain and place
    /// in the log (RFC 9162 section 2.1.3.2), the note over the heads by the log's key, and that the stream ends with
    /// the last of these entries, or is not there.
    ///
    /// - Throws: what the policy says of the checkpoint; `malformed`; `unproven` with what does not hold.
    package func verify(by policy: TrustPolicy) throws(TransparencyError) -> ProvenHistory {
        let trusted = try policy.judge(checkpoint)
        let entries = try verifiedEntries(in: trusted.checkpoint)
        try verifyHead(of: trusted, last: entries.last)
        return ProvenHistory(trusted: trusted, entries: entries)
    }

    private func unproven(_ what: String) -> TransparencyError {
        TransparencyError(.unproven, "the history of \(stream) does not hold: \(what)")
    }

    private func verifiedEntries(in checkpoint: Checkpoint) throws(TransparencyError) -> [Entry] {
        var (entries, previous, place): ([Entry], Hash?, Int) = ([], nil, -1)
        for (number, item) in items.enumerated() {
            guard let entry = try? Entry(item.entry) else { throw unproven("event \(number + 1) is no entry") }
            guard entry.stream == stream, entry.version == number + 1 else {
                throw unproven("event \(number + 1) is not the version \(number + 1) of this appointment")
            }
            guard entry.previous == previous else { throw unproven("event \(number + 1) breaks the chain") }
            let leaf = Hash.leaf(of: item.entry)
            let (size, root) = (checkpoint.size, checkpoint.root)
            guard TreeProof.includes(leaf, index: item.index, size: size, root: root, proof: item.proof) else {
                throw unproven("event \(number + 1) is not in the log at its place")
            }
            guard item.index > place else { throw unproven("event \(number + 1) stands before the one before it") }
            entries.append(entry)
            (previous, place) = (leaf, item.index)
        }
        return entries
    }

    private func verifyHead(of trusted: TrustedCheckpoint, last: Entry?) throws(TransparencyError) {
        _ = try headsNote.verified(by: [trusted.log.key])
        let heads = try HeadsCheckpoint(text: headsNote.text)
        guard heads.origin.hasBytes(of: trusted.checkpoint.origin), heads.logSize == trusted.checkpoint.size else {
            throw unproven("the note over the heads is of another log or another size")
        }
        guard head.isProven(of: stream, size: heads.size, root: heads.root) else {
            throw unproven("the heads do not say what they should of this appointment")
        }
        switch (head, last) {
        case (.absent, nil): return
        case (.absent, _): throw unproven("it has events, and the heads say that there are none")
        case (.present, nil): throw unproven("it has no events, and the heads say that there are some")
        case (.present(let head), let last?):
            guard head.head.version == last.version, head.head.leaf == Hash.leaf(of: last.bytes) else {
                throw unproven("the last event is not the one that the heads name: one is missing, or one too many")
            }
        }
    }
}

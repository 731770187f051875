package import EventStore
package import TransparencyLog

/// What a witness keeps of each log: the note that it signed last. Every implementation passes the same contract suite
/// (`WitnessStoreContract`).
package protocol WitnessStore: Sendable {
    /// The note that was stored last.
    ///
    /// - Parameter log: the digest of the origin.
    /// - Returns: nil before the first.
    /// - Throws: `unavailable` or `corrupt`.
    func note(of log: Hash) async throws(EventStoreError) -> [UInt8]?

    /// Reads the note that was stored last, decides, and stores what the decision says: one step, in which nobody else
    /// stores anything of this log. What is stored is durable once this returns.
    ///
    /// - Parameter decide: is given the bytes of the last note; may run more than once.
    /// - Throws: what `decide` throws; `unavailable` or `corrupt`. It is not known then whether the note was stored.
    func step(
        _ log: Hash, _ decide: @escaping @Sendable (_ last: [UInt8]?) throws(EventStoreError) -> WitnessStep
    ) async throws(EventStoreError) -> AddCheckpointAnswer
}

/// What a witness does with a request.
package struct WitnessStep: Sendable {
    /// What is answered once all is stored.
    package let answer: AddCheckpointAnswer
    /// What is stored in place of the last note; nil for nothing.
    package let stored: Stored?

    /// A note and the size of its checkpoint, which never becomes smaller.
    package struct Stored: Sendable {
        package let size: Int
        package let note: [UInt8]

        package init(size: Int, note: [UInt8]) { (self.size, self.note) = (size, note) }
    }

    package init(_ answer: AddCheckpointAnswer, storing stored: Stored? = nil) {
        (self.answer, self.stored) = (answer, stored)
    }
}

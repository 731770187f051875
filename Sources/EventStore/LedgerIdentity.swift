/// Which ledger something belongs to, and which of its pasts: a random id for life, and an epoch that moves on each
/// time the ledger is found put back to an older copy.
package struct LedgerIdentity: Hashable, Sendable {
    package let id: Identifier
    /// 1, 2, 3 …
    package let epoch: Int

    package init(id: Identifier, epoch: Int) { (self.id, self.epoch) = (id, epoch) }

    /// The same ledger in its next epoch.
    package var next: LedgerIdentity { LedgerIdentity(id: id, epoch: epoch + 1) }
}

extension LedgerIdentity: CustomStringConvertible {
    package var description: String { "\(id), epoch \(epoch)" }
}

/// A place in the log with what stands there: it tells two histories of the same length apart.
package struct LogMark: Hashable, Sendable {
    /// 0 where there is no event yet.
    package let position: Int
    /// The leaf of the event there; nil where there is none.
    package let leaf: Hash?

    package init(position: Int, leaf: Hash?) { (self.position, self.leaf) = (position, leaf) }
}

/// What the place outside of a ledger remembers of it: a restore of the ledger leaves it as it is.
package struct SeenLedger: Equatable, Sendable {
    package let identity: LedgerIdentity
    /// The leaf of its first event. It tells the ledger's own old copies from another ledger's, where a copy is older
    /// than identities.
    package let first: Hash?
    /// The furthest place that was durable. It may lag, and is never ahead of what was.
    package let last: LogMark

    package init(identity: LedgerIdentity, first: Hash?, last: LogMark) {
        (self.identity, self.first, self.last) = (identity, first, last)
    }
}

/// Keeps the identity of a ledger with its events: what puts the events back puts it back as well.
package protocol IdentityStore: Sendable {
    /// The identity; nil for a ledger that has none yet.
    func identity() async throws(EventStoreError) -> LedgerIdentity?

    /// Begins an epoch.
    ///
    /// - Parameter before: the identity that was read; nil where there was none.
    /// - Returns: false when the ledger has another one by now: nothing was written.
    func begin(
        _ next: LedgerIdentity, after before: LedgerIdentity?, at now: Timestamp
    ) async throws(EventStoreError) -> Bool

    /// The last place of the log; all up to there is durable.
    func lastMark() async throws(EventStoreError) -> LogMark

    /// What stands at a position; its leaf is nil where nothing does.
    func mark(at position: Int) async throws(EventStoreError) -> LogMark
}

/// How a ledger was found when it was opened.
package enum LedgerOpening: Equatable, Sendable {
    /// As it was last seen, or further on.
    case asSeen(SeenLedger)
    /// Nothing was remembered of it.
    case first(SeenLedger)
    /// It holds less than was seen of it, or another history: a new epoch has begun.
    case putBack(SeenLedger, from: SeenLedger)

    /// What is to be remembered from now on.
    package var seen: SeenLedger {
        switch self {
        case .asSeen(let seen), .first(let seen), .putBack(let seen, _): seen
        }
    }
}

extension IdentityStore {
    /// Compares the ledger with what was seen of it, and begins a new epoch when it was put back. It is done before
    /// anything is written or served.
    ///
    /// - Parameters:
    ///   - seen: what was remembered, read before this is called; nil where nothing was.
    ///   - newID: the id for a ledger that has none.
    /// - Throws: `invalid` when the ledger is another one than was seen; `unavailable`.
    package func open(
        seen: SeenLedger?, newID: Identifier, now: Timestamp
    ) async throws(EventStoreError) -> LedgerOpening {
        while true {
            let stored = try await identity()
            let (first, last) = (try await mark(at: 1).leaf, try await lastMark())
            if let stored, let seen, stored.id != seen.identity.id { throw .anotherLedger(stored, seen) }
            if stored == nil, let seen, seen.last.position > 0, first != seen.first {
                throw .anotherLedger(nil, seen)
            }
            var next = stored ?? LedgerIdentity(id: seen?.identity.id ?? newID, epoch: seen?.identity.epoch ?? 1)
            var isPutBack = false
            if let seen, try await self.isPutBack(next, since: seen, last) {
                isPutBack = true
                // Further than any epoch that was: an old copy knows nothing of those after it.
                next = LedgerIdentity(id: next.id, epoch: max(next.epoch, seen.identity.epoch) + 1)
            }
            if next != stored {
                // Another process may open it at the same moment, and have begun the epoch already.
                guard try await begin(next, after: stored, at: now) else { continue }
            }
            let found = SeenLedger(identity: next, first: first, last: last)
            guard let seen else { return .first(found) }
            return isPutBack ? .putBack(found, from: seen) : .asSeen(found)
        }
    }

    private func isPutBack(
        _ identity: LedgerIdentity, since seen: SeenLedger, _ last: LogMark
    ) async throws(EventStoreError) -> Bool {
        // What was seen is of an epoch before this one: the one who began it did not live to remember it.
        if seen.identity.epoch < identity.epoch { return false }
        if seen.identity.epoch > identity.epoch || seen.last.position > last.position { return true }
        // Where nothing stands at the position an event was lost: that is damage, which `verify` names.
        guard let leaf = seen.last.leaf, let held = try await mark(at: seen.last.position).leaf else { return false }
        return held != leaf
    }
}

extension EventStoreError {
    fileprivate static func anotherLedger(_ stored: LedgerIdentity?, _ seen: SeenLedger) -> EventStoreError {
        EventStoreError(
            .invalid,
            message: """
                this is another ledger than the one that was here: \
                \(stored.map { "\($0.id)" } ?? "it has no identity") instead of \(seen.identity.id), which had come to \
                position \(seen.last.position). Put that one back, or remove ledger.seen to go on with this one
                """)
    }
}

extension LedgerIdentity {
    /// - Throws: `invalid` when what is claimed for this ledger is another's.
    package func requireSameLedger(as owner: LedgerIdentity?) throws(EventStoreError) {
        guard let owner, owner.id != id else { return }
        throw EventStoreError(.invalid, message: "it belongs to another ledger, \(owner.id), and not to \(id)")
    }
}

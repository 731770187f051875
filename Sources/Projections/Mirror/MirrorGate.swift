package import EventStore
import Synchronization

/// How a mirror stands to the ledger that is to be followed.
package enum MirrorStanding: Equatable, Sendable {
    /// It is the ledger's, and all that it holds is the ledger's as far as that is known.
    case following
    /// It belongs to no ledger yet, and nothing that it holds contradicts that it is this one's.
    case unclaimed
    /// It belongs to another ledger; nil where it says none, and holds what this one never had.
    case otherLedger(LedgerIdentity?)
    /// It belongs to another epoch of the ledger, and its last entry is one of the ledger's.
    case otherEpoch(LedgerIdentity)
    /// Its last entry is one that the ledger does not have: the ledger was put back to an older copy.
    case ahead
    /// It believes to have read further than its entries reach, so that it would pass over what comes.
    case misplaced

    /// The name of it, for programs.
    package var name: String {
        switch self {
        case .following: "following"
        case .unclaimed: "unclaimed"
        case .otherLedger: "other-ledger"
        case .otherEpoch: "other-epoch"
        case .ahead: "ahead"
        case .misplaced: "misplaced"
        }
    }

    /// All names.
    package static let names = ["following", "unclaimed", "other-ledger", "other-epoch", "ahead", "misplaced"]

    /// Whether events may be read from it and appended to it.
    package var isOurs: Bool { self == .following || self == .unclaimed }

    /// Why it is neither followed nor answered from, and the way out; nil when it is.
    package func problem(_ state: MirrorState, of identity: LedgerIdentity?) -> String? {
        let ours = identity.map { "\($0)" } ?? "this ledger"
        switch self {
        case .following, .unclaimed: return nil
        case .otherLedger(let owner):
            let whose = owner.map { "it is that of \($0)" } ?? "it holds events that this ledger never had"
            return """
                the mirror is another ledger's: \(whose), and this is \(ours). Let RDS_URL_LEDGER name this ledger's \
                mirror, or make a new database for it: `ledger migrate up`, `ledger mirror backfill`
                """
        case .otherEpoch(let owner):
            return """
                the mirror is of another epoch (\(owner.epoch)) than the ledger (\(identity?.epoch ?? 0)), which was \
                put back to an older copy, or the mirror was: look with `ledger mirror adopt --dry-run`, which takes \
                it over if all of it is the ledger's; else `ledger mirror rewind`
                """
        case .ahead:
            return """
                the mirror is ahead of the ledger: its entry at position \(state.position) is none that the ledger \
                has, so the ledger was put back to an older copy. Put a newer one back, or move what is too much out \
                of the mirror: `ledger mirror rewind --dry-run`
                """
        case .misplaced:
            return """
                the mirror's checkpoint was moved ahead: it says \(state.checkpoint), and the mirror has come to \
                position \(state.position). Find out by whom, then `ledger repair --mirror`
                """
        }
    }
}

/// Stands before a mirror: nothing is written to it or answered from it before it is known to be the ledger's.
///
/// The mirror's last entry has to be one that the ledger has. One that was compared is not compared again: neither of
/// the two ever loses an entry while this program runs.
package final class MirrorGate: Sendable {
    private let mirror: any MirrorStore
    package let identity: LedgerIdentity?
    private let store: any StreamReader
    private let compares: Bool
    /// The last place that was found in both.
    private let compared = Mutex<MirroredPlace?>(nil)

    /// - Parameters:
    ///   - identity: the ledger's; nil where that goes unasked.
    ///   - store: the ledger's streams.
    ///   - compares: whether entries are compared where there is no identity; else the mirror goes unasked then.
    package init(
        _ mirror: any MirrorStore, of identity: LedgerIdentity?, store: any StreamReader, compares: Bool = false
    ) {
        (self.mirror, self.identity, self.store) = (mirror, identity, store)
        self.compares = compares || identity != nil
    }

    /// Where the mirror stands, once it is known to be the ledger's. One that belongs to none is claimed.
    ///
    /// - Parameters:
    ///   - feed: what it follows by position; nil where it follows a change stream, and has no checkpoint of its own.
    ///   - mending: whether a checkpoint that is too far is about to be set back.
    /// - Throws: `invalid`, with what to do; `unavailable`.
    func pass(feed: (any EventFeed)?, mending: Bool = false) async throws(EventStoreError) -> MirrorState {
        while true {
            let state = try await mirror.state()
            let standing = try await standing(state, feed: feed)
            if standing == .following || mending && standing == .misplaced { return state }
            if let problem = standing.problem(state, of: identity) {
                throw EventStoreError(.invalid, message: problem)
            }
            // Whoever was faster, claimed or appended: look again.
            if let identity { _ = try await mirror.claim(for: identity, expecting: state) }
        }
    }

    /// - Throws: `unavailable`, with what to do, when events may not be read from the mirror.
    package func requireOurs() async throws(EventStoreError) {
        if !compares { return }
        let state = try await mirror.state()
        guard let problem = try await standing(state, feed: nil).problem(state, of: identity) else { return }
        throw EventStoreError(.unavailable, message: problem)
    }

    /// Whether events may be read from the mirror and appended to it.
    package func isOurs() async throws(EventStoreError) -> Bool {
        if !compares { return true }
        return try await standing(try await mirror.state(), feed: nil).isOurs
    }

    /// How far the mirror has really read its feed.
    func reached(_ state: MirrorState, feed: any EventFeed) async throws(EventStoreError) -> Int {
        try await isMisplaced(state, feed) ? state.position : state.checkpoint
    }

    /// How the mirror stands to the ledger.
    ///
    /// - Parameter feed: what it follows by position; nil where it has no checkpoint of its own.
    package func standing(
        _ state: MirrorState, feed: (any EventFeed)?
    ) async throws(EventStoreError) -> MirrorStanding {
        guard compares else { return .following }
        if let identity, let owner = state.owner, owner.id != identity.id { return .otherLedger(owner) }
        if try await !holdsLast(of: state) {
            if state.owner != nil { return .ahead }
            return try await holdsFirst() ? .ahead : .otherLedger(nil)
        }
        guard let identity else { return try await isMisplaced(state, feed) ? .misplaced : .following }
        guard let owner = state.owner else {
            if state.position > 0, try await !holdsFirst() { return .otherLedger(nil) }
            return .unclaimed
        }
        if owner != identity { return .otherEpoch(owner) }
        return try await isMisplaced(state, feed) ? .misplaced : .following
    }

    /// Whether the checkpoint says more than was taken in or kept as a conflict.
    private func isMisplaced(_ state: MirrorState, _ feed: (any EventFeed)?) async throws(EventStoreError) -> Bool {
        guard feed != nil, compares, state.checkpoint > state.position else { return false }
        return state.checkpoint - state.position > (try await mirror.conflictCount())
    }

    /// Whether the ledger has the mirror's last entry. One that the mirror has lost is damage, which `verify` names.
    private func holdsLast(of state: MirrorState) async throws(EventStoreError) -> Bool {
        if state.position == 0 { return true }
        if let known = compared.withLock({ $0 }), known.position == state.position { return true }
        guard let last = try await mirror.places(after: state.position - 1, limit: 1).first,
            last.position == state.position
        else { return state.owner != nil || identity == nil }
        guard try await holds(last) else { return false }
        compared.withLock { $0 = last }
        return true
    }

    private func holdsFirst() async throws(EventStoreError) -> Bool {
        guard let first = try await mirror.places(after: 0, limit: 1).first else { return true }
        return try await holds(first)
    }

    /// Whether the ledger has an entry of the mirror. An event that the ledger can't read is damage of its own.
    private func holds(_ entry: MirroredPlace) async throws(EventStoreError) -> Bool {
        do throws(EventStoreError) {
            let events = try await store.read(entry.place.stream, from: entry.place.version)
            return events.first?.version == entry.place.version && events.first?.leaf == entry.leaf
        } catch {
            guard error.code == .corrupt else { throw error }
            return true
        }
    }
}

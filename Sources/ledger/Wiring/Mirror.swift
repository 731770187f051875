import EventStore
import HostSystem
import Logging
import PostgresEngine
import Projections

/// The mirror that the environment names, wired: sessions for its worker, for auditors, and for whoever asks how it is.
struct Mirror: Sendable {
    private let sessions: MirrorSessions
    /// The ledger that it has to be the mirror of.
    let identity: LedgerIdentity

    /// Where it is, for people.
    var summary: String { sessions.summary }
    /// Writes it, and compares it.
    var worker: PostgresMirror { sessions.worker }
    /// Answers auditors.
    var reader: PostgresMirror { sessions.reader }
    /// Says how far it has come, or soon that it does not answer.
    var probe: PostgresMirror { sessions.probe }
    var trail: PostgresAccessLog { sessions.trail }

    init(_ settings: PostgresSettings, of identity: LedgerIdentity) {
        (sessions, self.identity) = (MirrorSessions(settings, random: System.number), identity)
    }

    /// The record of accesses that is kept in the mirror while it is this ledger's, else in the ledger's own.
    func trail(otherwise own: any AccessLog, _ store: any StreamReader) -> any AccessLog {
        let gate = gate(reader, store)
        return AccessLogs(trail, otherwise: own) { () throws(EventStoreError) in try await gate.isOurs() }
    }

    /// Knows whose mirror it has to be.
    ///
    /// - Parameter sessions: those that it looks with.
    func gate(_ sessions: PostgresMirror, _ store: any StreamReader) -> MirrorGate {
        MirrorGate(sessions, of: identity, store: store, compares: true)
    }

    /// Compares schema and owner before it answers auditors, unless it does not answer: the store does then, and so it
    /// does where the mirror is ahead or of another epoch.
    ///
    /// - Parameter tell: is told that it is passed over, and why.
    /// - Throws: `invalid` when its schema is not this program's or it is another ledger's, with what to do.
    func checkForReading(
        _ store: any StreamReader, tell: (String) -> Void
    ) async throws(EventStoreError) {
        do throws(EventStoreError) {
            try await sessions.checkSchemaForReading()
            if let problem = try await problem(reader, store, feed: nil) { tell(problem) }
        } catch {
            try error.throwUnlessUnavailable()
        }
    }

    /// Why it is passed over; nil when it is not.
    ///
    /// - Throws: `invalid` when it is another ledger's.
    private func problem(
        _ sessions: PostgresMirror, _ store: any StreamReader, feed: (any EventFeed)?
    ) async throws(EventStoreError) -> String? {
        let state = try await sessions.state()
        let standing = try await gate(sessions, store).standing(state, feed: feed)
        let problem = standing.problem(state, of: identity)
        if case .otherLedger = standing, let problem { throw EventStoreError(.invalid, message: problem) }
        return problem
    }

    /// - Throws: `invalid`, with what to do, when it is another ledger's.
    func requireOurLedger(_ store: any StreamReader) async throws(EventStoreError) {
        _ = try await problem(worker, store, feed: nil)
    }

    /// Checks it as `check` does, unless it does not answer: it is left for later then, and catches up by itself. One
    /// that is ahead or of another epoch is not followed until somebody has said which side is right.
    func checkUnlessAway(
        _ logger: Logger, _ store: any StreamReader, feed: (any EventFeed)?
    ) async throws(EventStoreError) {
        do throws(EventStoreError) {
            try await sessions.checkSchema()
            if let problem = try await problem(worker, store, feed: feed) {
                logger.error("the mirror stands still", metadata: ["error": "\(problem)"])
            }
        } catch {
            try error.throwUnlessUnavailable()
            logger.warning(
                "the mirror does not answer; it is filled when it does",
                metadata: ["mirror": "\(summary)", "error": "\(error)"])
        }
    }

    /// Compares schema and owner before it is written to.
    ///
    /// - Parameter feed: what it follows by position; nil on AWS.
    /// - Throws: `invalid`, with what to do, when the schema is another or it does not follow this ledger;
    ///   `unavailable`.
    func check(_ store: any StreamReader, feed: (any EventFeed)?) async throws(EventStoreError) {
        try await sessions.checkSchema()
        if let problem = try await problem(worker, store, feed: feed) {
            throw EventStoreError(.invalid, message: problem)
        }
    }

    /// Compares its schema with this program's before it is written to.
    ///
    /// - Throws: as `MirrorSessions.checkSchema`.
    func checkSchema() async throws(EventStoreError) { try await sessions.checkSchema() }
}

import EventStore
import Foundation
import HostSystem
import Logging
import PostgresEngine
import Projections

/// The mirror that the environment names, wired: sessions for its worker, for auditors, and for whoever asks how it is.
struct Mirror: Sendable {
    private let sessions: MirrorSessions
    /// The ledger that it has to be the mirror of; nil where that goes unasked.
    private(set) var identity: LedgerIdentity?

    /// Where it is, for people.
    var summary: String { sessions.summary }
    /// Writes it, and compares it.
    var worker: PostgresMirror { sessions.worker }
    /// Answers auditors.
    var reader: PostgresMirror { sessions.reader }
    /// Says how far it has come, or soon that it does not answer.
    var probe: PostgresMirror { sessions.probe }
    var trail: PostgresAccessLog { sessions.trail }

    /// The mirror that the variables with `_LEDGER` name; nil when they name none.
    ///
    /// - Parameter secrets: reads a password that is named and not given.
    /// - Throws: `invalid`, with the variable and what to do.
    static func of(
        _ environment: [String: String], secrets: PostgresSettings.SecretReader?
    ) throws(EventStoreError) -> Mirror? {
        try PostgresSettings(.ledger, environment: environment, secrets: secrets).map { Mirror($0) }
    }

    init(_ settings: PostgresSettings) {
        sessions = MirrorSessions(settings, random: System.number)
    }

    /// The same, as the mirror of a ledger.
    func belonging(to identity: LedgerIdentity) -> Mirror {
        var mirror = self
        mirror.identity = identity
        return mirror
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
        _ store: any StreamReader, tell: (String) -> Void = { report("ledger: \($0); the answer is the ledger's own") }
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
}

extension Mirror {
    /// Compares its schema with this program's before it is written to.
    ///
    /// - Throws: as `MirrorSessions.checkSchema`.
    func checkSchema() async throws(EventStoreError) { try await sessions.checkSchema() }
}

extension Embedded {
    /// The mirror that the environment names.
    ///
    /// - Throws: a refusal when it names none.
    func requireMirror() throws -> Mirror {
        guard let mirror else { throw Refusal.noMirror }
        return mirror
    }

    func runner(into mirror: Mirror) -> MirrorRunner {
        MirrorRunner(
            feed: store, store: store, mirror: mirror.worker, people: people, identity: mirror.identity)
    }
}

import EventStore
import Foundation
import Handlers
import Logging
import Machine
import PostgresEngine
import Projections

/// The mirror that the environment names, wired: sessions for its worker, for auditors, and for whoever asks how it is.
struct Mirror: Sendable {
    /// Where it is, for people.
    let summary: String
    /// Writes it, and compares it.
    let worker: PostgresMirror
    /// Answers auditors. It gives up soon, since the store can answer as well.
    let reader: PostgresMirror
    /// Says how far it has come, or soon that it does not answer.
    let probe: PostgresMirror
    let trail: PostgresAuditTrail
    private let workerPool: PostgresPool
    private let readerPool: PostgresPool

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
        summary = settings.summary
        var (working, reading, probing) = (settings, settings.auditing, settings)
        working.statementMilliseconds = 300_000
        // A batch of entries is kept in memory for the trigger behind it, and not in a file (measured: 8.6 µs an entry
        // instead of 13.2).
        working.parameters = ["work_mem": "64MB"]
        reading.connectMilliseconds = 1000
        (probing.connectMilliseconds, probing.statementMilliseconds) = (1000, 1000)
        workerPool = PostgresPool(working, size: 2, random: Machine.number)
        readerPool = PostgresPool(reading, size: 4, patienceMilliseconds: 500, random: Machine.number)
        worker = PostgresMirror(workerPool)
        reader = PostgresMirror(readerPool)
        probe = PostgresMirror(PostgresPool(probing, size: 1, patienceMilliseconds: 500, random: Machine.number))
        trail = PostgresAuditTrail(readerPool)
    }

    /// Compares its schema with this program's before it answers auditors, unless it does not answer: the store does
    /// then.
    ///
    /// - Throws: `invalid` when it is another, with what to do.
    func checkForReading() async throws(EventStoreError) {
        do throws(EventStoreError) {
            try await Migrator(readerPool, Migrator.steps(of: .ledger)).check()
        } catch {
            guard error.code == .unavailable else { throw error }
        }
    }

    /// Checks it as `check` does, unless it does not answer: it is left for later then, and catches up by itself.
    func checkUnlessAway(_ logger: Logger) async throws(EventStoreError) {
        do throws(EventStoreError) {
            try await check()
        } catch {
            guard error.code == .unavailable else { throw error }
            logger.warning(
                "the mirror does not answer; it is filled when it does",
                metadata: ["mirror": "\(summary)", "error": "\(error)"])
        }
    }

    /// Compares its schema with this program's, and builds the indexes that a backfill took away and did not live to
    /// build again.
    ///
    /// - Throws: `invalid` when it is another, with what to do; `unavailable`.
    func check() async throws(EventStoreError) {
        try await Migrator(workerPool, Migrator.steps(of: .ledger)).check()
        try await worker.buildIndexes()
    }
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
        MirrorRunner(feed: store, store: store, mirror: mirror.worker, people: people)
    }
}

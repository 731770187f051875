package import EventStore

/// The sessions of a mirror: for its worker, for auditors, and for whoever asks how it is.
package struct MirrorSessions: Sendable {
    /// Where it is, for people.
    package let summary: String
    /// Writes it, and compares it.
    package let worker: PostgresMirror
    /// Answers auditors. It gives up soon, since the store can answer as well.
    package let reader: PostgresMirror
    /// Says how far it has come, or soon that it does not answer.
    package let probe: PostgresMirror
    /// Who looked.
    package let trail: PostgresAccessLog
    private let workerPool: PostgresPool
    private let readerPool: PostgresPool

    /// - Parameter random: 64 random bits, for the waits between attempts.
    package init(_ settings: PostgresSettings, random: @escaping @Sendable () -> UInt64) {
        summary = settings.summary
        var (working, reading, probing) = (settings, settings.auditing, settings)
        working.statementMilliseconds = 300_000
        // A batch of entries is kept in memory for the trigger after it, and not in a file (measured: 8.6 µs an entry
        // instead of 13.2).
        working.parameters = ["work_mem": "64MB"]
        reading.connectMilliseconds = 1000
        (probing.connectMilliseconds, probing.statementMilliseconds) = (1000, 1000)
        workerPool = PostgresPool(working, size: 2, random: random)
        readerPool = PostgresPool(reading, size: 4, patienceMilliseconds: 500, random: random)
        worker = PostgresMirror(workerPool)
        reader = PostgresMirror(readerPool)
        probe = PostgresMirror(PostgresPool(probing, size: 1, patienceMilliseconds: 500, random: random))
        trail = PostgresAccessLog(readerPool)
    }

    /// Compares its schema with this program's, and builds the indexes that a backfill took away and did not live to
    /// build again.
    ///
    /// - Throws: `invalid` when it is another, with what to do; `unavailable`.
    package func checkSchema() async throws(EventStoreError) {
        try await Migrator(workerPool, Migrator.steps(of: .ledger)).check()
        try await worker.buildIndexes()
    }

    /// Compares its schema with this program's, by the sessions of auditors.
    ///
    /// - Throws: as `checkSchema`.
    package func checkSchemaForReading() async throws(EventStoreError) {
        try await Migrator(readerPool, Migrator.steps(of: .ledger)).check()
    }
}

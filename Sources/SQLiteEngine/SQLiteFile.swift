package import EventStore
import Foundation
import GRDB
package import Handlers
import Synchronization

/// The file that holds the whole embedded ledger: WAL, `synchronous=FULL`, one writer, and readers at the same time.
package final class SQLiteFile: Sendable {
    /// Nil where the file can only be read.
    private let writer: JobQueue<Writing>?
    /// Connections for short reads. They are few, so that reads that wait together share a hop and a snapshot.
    private let readers: [JobQueue<Database>]
    /// The connections for reads that may take long, so that no short one waits for them: one for each core, so that
    /// a rebuild uses all of them.
    private let scanners: [JobQueue<Database>]
    private let turn = Atomic<UInt>(0)
    let path: String
    let outcome = WriteOutcome()
    /// Rings when events were appended by this process.
    package let appended = Doorbell(alarm: .real)

    /// Whether nothing can be written here: the file lies on read-only media, or its user may only read it.
    package var isReadOnly: Bool { writer == nil }

    /// Opens the file, makes it when it is missing, and brings its tables up to this program. A file that can only be
    /// read is opened as it is.
    ///
    /// - Throws: `unavailable` when it can't be opened, `corrupt` when it is no ledger of this program or an older one,
    ///   `invalid` when it can only be read and is an older one's, or its log can't be read.
    package init(path: String) throws(EventStoreError) {
        self.path = path
        do {
            let isReadOnly = ReadOnlyMedia.holds(path)
            let name = isReadOnly ? try ReadOnlyMedia.name(of: path) : path
            var configuration = Self.configuration
            configuration.readonly = isReadOnly
            let connection = try DatabaseQueue(path: name, configuration: configuration)
            try Self.prepare(connection, path, isReadOnly: isReadOnly)
            let (outcome, tree) = (outcome, TreeMemory())
            writer =
                isReadOnly ? nil : JobQueue(connection) { GroupCommit.commit($0, in: $1, noting: outcome, tree) }
            configuration.readonly = true
            let cores = max(ProcessInfo.processInfo.activeProcessorCount, 2)
            readers = try (0..<cores / 2).map { _ in
                JobQueue(try DatabaseQueue(path: name, configuration: configuration), process: Self.read)
            }
            // A scan passes over each page once: a large cache would only hold what nobody asks for again.
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA cache_size = -8192") }
            scanners = try (0..<cores).map { _ in
                JobQueue(try DatabaseQueue(path: name, configuration: configuration), process: Self.scan)
            }
        } catch {
            throw Self.translate(error)
        }
    }

    private static func prepare(_ connection: DatabaseQueue, _ path: String, isReadOnly: Bool) throws {
        let migrator = Schema.migrator
        if try connection.read(migrator.hasBeenSuperseded) {
            throw EventStoreError(.corrupt, message: "\(path) was written by a newer program: update this one")
        }
        if isReadOnly {
            guard try connection.read(migrator.hasCompletedMigrations) else {
                throw EventStoreError(
                    .invalid,
                    message: "\(path) was written by an older program and has to be brought up to this one, but can "
                        + "only be read: copy it to a directory that can be written, and name that as --data")
            }
            return
        }
        try connection.writeWithoutTransaction { database in
            // GRDB sets NORMAL for WAL, which may lose the last commits when the power goes.
            try database.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 16000;")
        }
        try migrator.migrate(connection)
    }

    /// - Throws: `invalid`, with what to do, when the file can only be read.
    package func requireWritable() throws(EventStoreError) {
        if isReadOnly { throw ReadOnlyMedia.refusal(path) }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.journalMode = .wal
        // Another process, such as a command next to the server, may hold the write lock for a moment.
        configuration.busyMode = .timeout(5)
        configuration.label = "ledger"
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA cache_size = -65536;
                    PRAGMA recursive_triggers = ON;
                    """)
        }
        return configuration
    }

    /// A connection of its own for long work, whose every transaction is as durable as those of the writer.
    func separateConnection(_ configure: (inout Configuration) -> Void) throws(EventStoreError) -> DatabaseQueue {
        var configuration = Self.configuration
        configure(&configuration)
        do {
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            // GRDB sets NORMAL for WAL once the connection is open. It moves its own pages to the file, and little at a
            // time, so that this never falls to one of those who book.
            try connection.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;")
            }
            return connection
        } catch {
            throw Self.translate(error)
        }
    }

    /// Reads a few rows by a key, in one snapshot that is no older than the call.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        try await Self.perform(body, on: next(of: readers))
    }

    private func next(of connections: [JobQueue<Database>]) -> JobQueue<Database> {
        connections[Int(turn.wrappingAdd(1, ordering: .relaxed).oldValue % UInt(connections.count))]
    }

    /// Reads what may take a while, in one snapshot that is no older than the call.
    func scan<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        try await Self.perform(body, on: next(of: scanners))
    }

    private static func perform<Context, Value: Sendable>(
        _ body: @escaping @Sendable (Context) throws -> Value, on queue: JobQueue<Context>
    ) async throws(EventStoreError) -> Value {
        do {
            return try await queue.perform(body)
        } catch {
            throw translate(error)
        }
    }

    /// Runs reads that wait together in one snapshot.
    private static func read(_ jobs: [Job<Database>], in database: Database) {
        var failure: (any Error)?
        do { try database.run("BEGIN") } catch { failure = error }
        var outcomes: [(any Error)?] = []
        for job in jobs {
            do {
                if let failure { throw failure }
                try job.run(database)
                outcomes.append(nil)
            } catch {
                outcomes.append(error)
            }
        }
        // Nothing was written, so an end of the snapshot that fails changes nothing: the next BEGIN reports it.
        if database.isInsideTransaction { try? database.run("COMMIT") }
        for (job, outcome) in zip(jobs, outcomes) { job.finish(outcome) }
    }

    /// Runs long reads one after the other, each in its own snapshot, and hands each over as soon as it is done.
    private static func scan(_ jobs: [Job<Database>], in database: Database) {
        for job in jobs { read([job], in: database) }
    }

    /// Writes in a transaction that is shared with whoever else waits; durable once this returns.
    ///
    /// - Parameter body: may run more than once.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Writing) throws -> Value
    ) async throws(EventStoreError) -> Value {
        guard let writer else { throw ReadOnlyMedia.refusal(path) }
        return try await Self.perform(body, on: writer)
    }

    /// Whether SQLite could not do what it was asked, whatever it was asked: disk full, no lock, no file.
    static func isOutage(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        switch error.resultCode {
        case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_CANTOPEN, .SQLITE_READONLY,
            .SQLITE_NOMEM, .SQLITE_INTERRUPT, .SQLITE_PERM:
            return true
        default: return false
        }
    }

    /// The error of the vocabulary for one of SQLite's. Its text names no value of a row.
    static func translate(_ error: any Error) -> EventStoreError {
        if let error = error as? EventStoreError { return error }
        guard let error = error as? DatabaseError else {
            return EventStoreError(.unavailable, message: "the database did not answer: try again", cause: error)
        }
        let said = SQLiteFailure(code: Int(error.extendedResultCode.rawValue), message: error.message ?? "")
        if error.resultCode == .SQLITE_FULL {
            return EventStoreError(.unavailable, message: "the disk is full: make room and try again", cause: said)
        }
        if isOutage(error) {
            return EventStoreError(.unavailable, message: "the database can't be written or read now", cause: said)
        }
        if error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB {
            return EventStoreError(.corrupt, message: "the database file is damaged: restore a backup", cause: said)
        }
        return EventStoreError(.invalid, message: "the database refused a statement", cause: said)
    }
}

/// What SQLite said, without the statement and its values.
struct SQLiteFailure: Error, CustomStringConvertible {
    let code: Int
    let message: String

    var description: String { "SQLite error \(code): \(message)" }
}

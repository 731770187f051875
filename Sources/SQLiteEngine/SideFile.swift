package import EventStore
import GRDB
internal import Migrations

/// A small SQLite file of a program that runs apart from the ledger: what a witness or a monitor remembers. Every write
/// is one transaction, durable once it returns; another process may have the file open as well.
package final class SideFile: Sendable {
    /// Whose file it is.
    package enum Kind: Sendable {
        case witness
        case monitor

        var steps: [Migration] {
            switch self {
            case .witness: Migration.witness
            case .monitor: Migration.monitor
            }
        }
    }

    private let queue: JobQueue<Database>

    /// Opens the file, makes it when it is missing, and brings its tables up to this program.
    ///
    /// - Throws: `unavailable` when it can't be opened, `corrupt` when it is another file or a newer program's.
    package init(_ kind: Kind, path: String) throws(EventStoreError) {
        do {
            var configuration = Configuration()
            configuration.journalMode = .wal
            configuration.busyMode = .timeout(5)
            configuration.label = "ledger.side"
            let connection = try DatabaseQueue(path: path, configuration: configuration)
            var migrator = DatabaseMigrator()
            for step in kind.steps.map(SchemaStep.init) {
                migrator.registerMigration(step.identity, migrate: step.apply)
            }
            if try connection.read(migrator.hasBeenSuperseded) {
                throw EventStoreError(.corrupt, message: "\(path) was written by a newer program: update this one")
            }
            // GRDB sets NORMAL for WAL, which may lose the last commits when the power goes.
            try connection.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try migrator.migrate(connection)
            queue = JobQueue(connection, process: Self.run)
        } catch {
            throw SQLiteFile.translate(error)
        }
    }

    /// Runs work that waits together, each in a transaction of its own.
    private static func run(_ jobs: [Job<Database>], in database: Database) {
        for job in jobs {
            do {
                // Nobody writes between what the job reads and what it writes.
                try database.run("BEGIN IMMEDIATE")
                try job.run(database)
                try database.run("COMMIT")
                job.finish(nil)
            } catch {
                // The transaction may have ended with the error already.
                if database.isInsideTransaction { try? database.run("ROLLBACK") }
                job.finish(error)
            }
        }
    }

    /// Reads and writes in one transaction; durable once this returns.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        do {
            return try await queue.perform(body)
        } catch {
            throw SQLiteFile.translate(error)
        }
    }
}

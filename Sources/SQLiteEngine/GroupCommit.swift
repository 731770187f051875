import EventStore
import GRDB

/// The one writer of the file: commits everything that waits in one transaction, so that all of it shares one fsync.
///
/// A job is told that it is done only after the commit has reached the disk. It may run more than once, and is to have
/// no effect but on the database.
enum GroupCommit {
    /// Runs jobs in one transaction and finishes each.
    static func commit(
        _ jobs: [Job<Writing>], in database: Database, noting outcome: WriteOutcome, _ memory: TreeMemory
    ) {
        let writing = Writing(database, memory)
        do {
            try database.run("BEGIN IMMEDIATE")
            var refusals: [(any Error)?] = []
            for job in jobs { refusals.append(try refusal(of: job, writing)) }
            try writing.finish()
            try database.run("COMMIT")
            for (job, refusal) in zip(jobs, refusals) { job.finish(refusal) }
            writing.committed()
        } catch {
            if database.isInsideTransaction {
                do { try database.execute(sql: "ROLLBACK") } catch { return fail(jobs, with: error, outcome) }
            }
            // A job that breaks after it has written must not take its neighbours with it; a full disk takes all.
            if jobs.count == 1 || SQLiteFile.isOutage(error) { return fail(jobs, with: error, outcome) }
            for job in jobs { commit([job], in: database, noting: outcome, memory) }
        }
    }

    /// Runs a job; returns what it threw before it had written anything.
    private static func refusal(of job: Job<Writing>, _ writing: Writing) throws -> (any Error)? {
        let changes = writing.database.totalChangesCount
        do {
            try job.run(writing)
            return nil
        } catch {
            if writing.database.totalChangesCount != changes || SQLiteFile.isOutage(error) { throw error }
            return error
        }
    }

    private static func fail(_ jobs: [Job<Writing>], with error: any Error, _ outcome: WriteOutcome) {
        if SQLiteFile.isOutage(error) { outcome.failed(SQLiteFile.translate(error).message) }
        for job in jobs { job.finish(error) }
    }
}

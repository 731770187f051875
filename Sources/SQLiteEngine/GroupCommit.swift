import GRDB
import Synchronization

/// The one writer of the file: commits everything that waits in one transaction, so that all of it shares one fsync.
///
/// A job is told that it is done only after the commit has reached the disk. Jobs run on the database's own serial
/// queue, never on the pool of Swift's tasks.
final class GroupCommit: Sendable {
    /// One caller's work. It may run more than once, and is to have no effect but on the database.
    private struct Job: Sendable {
        let run: @Sendable (Writing) throws -> Void
        let finish: @Sendable ((any Error)?) -> Void
    }

    private struct Queue {
        var waiting: [Job] = []
        var isDraining = false
    }

    /// The most jobs that share a transaction, so that none waits for long behind a crowd.
    private static let maximumJobs = 512

    private let pool: DatabasePool
    private let queue = Mutex(Queue())

    init(_ pool: DatabasePool) { self.pool = pool }

    /// Runs a job in a transaction and returns once that is durable.
    ///
    /// - Throws: what the job throws, or what SQLite says when the transaction can't be committed.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Writing) throws -> Value) async throws -> Value {
        let value = Box<Value>()
        let failure: (any Error)? = await withCheckedContinuation { continuation in
            let job = Job(
                run: { writing in
                    let written = try body(writing)
                    value.content.withLock { $0 = written }
                },
                finish: { continuation.resume(returning: $0) })
            let begins = queue.withLock { queue in
                queue.waiting.append(job)
                defer { queue.isDraining = true }
                return !queue.isDraining
            }
            if begins { pool.asyncWriteWithoutTransaction { [self] in drain($0) } }
        }
        if let failure { throw failure }
        guard let value = value.content.withLock({ $0 }) else { preconditionFailure("a job that did not fail has run") }
        return value
    }

    private func drain(_ database: Database) {
        while true {
            let jobs = queue.withLock { queue in
                let jobs = Array(queue.waiting.prefix(Self.maximumJobs))
                queue.waiting.removeFirst(jobs.count)
                if jobs.isEmpty { queue.isDraining = false }
                return jobs
            }
            if jobs.isEmpty { return }
            commit(jobs, in: database)
        }
    }

    private func commit(_ jobs: [Job], in database: Database) {
        let writing = Writing(database)
        do {
            try database.cachedStatement(sql: "BEGIN IMMEDIATE").execute()
            var refusals: [(any Error)?] = []
            for job in jobs { refusals.append(try refusal(of: job, writing)) }
            try writing.finish()
            try database.cachedStatement(sql: "COMMIT").execute()
            for (job, refusal) in zip(jobs, refusals) { job.finish(refusal) }
            writing.ringBells()
        } catch {
            if database.isInsideTransaction {
                do { try database.execute(sql: "ROLLBACK") } catch { return fail(jobs, with: error) }
            }
            // A job that breaks after it has written must not take its neighbours with it; a full disk takes all.
            if jobs.count == 1 || SQLiteFile.isOutage(error) { return fail(jobs, with: error) }
            for job in jobs { commit([job], in: database) }
        }
    }

    /// Runs a job; returns what it threw before it had written anything.
    private func refusal(of job: Job, _ writing: Writing) throws -> (any Error)? {
        let changes = writing.database.totalChangesCount
        do {
            try job.run(writing)
            return nil
        } catch {
            if writing.database.totalChangesCount != changes || SQLiteFile.isOutage(error) { throw error }
            return error
        }
    }

    private func fail(_ jobs: [Job], with error: any Error) {
        for job in jobs { job.finish(error) }
    }
}

/// What a job gave, kept until its transaction is durable.
private final class Box<Value: Sendable>: Sendable {
    let content = Mutex<Value?>(nil)
}

import GRDB
import Synchronization

/// One caller's work on a connection.
struct Job<Context>: Sendable {
    let run: @Sendable (Context) throws -> Void
    let finish: @Sendable ((any Error)?) -> Void
}

/// Collects work for one connection and runs all that waits together, on the connection's own serial queue: one hop
/// for many callers, and never a blocked thread in the pool of Swift's tasks.
final class JobQueue<Context>: Sendable {
    private struct State {
        var waiting: [Job<Context>] = []
        var isDraining = false
    }

    /// The most jobs that are run together, so that none waits for long in a crowd.
    private static var maximumJobs: Int { 512 }

    private let connection: DatabaseQueue
    private let process: @Sendable ([Job<Context>], Database) -> Void
    private let state = Mutex(State())

    /// - Parameter process: runs the jobs and finishes each.
    init(_ connection: DatabaseQueue, process: @escaping @Sendable ([Job<Context>], Database) -> Void) {
        (self.connection, self.process) = (connection, process)
    }

    /// Hands a job over and returns what it gave once it is finished.
    ///
    /// - Throws: what the job threw, or why it could not be finished.
    func perform<Value: Sendable>(_ body: @escaping @Sendable (Context) throws -> Value) async throws -> Value {
        let value = Box<Value>()
        let failure: (any Error)? = await withCheckedContinuation { continuation in
            let job = Job<Context>(
                run: { context in
                    let given = try body(context)
                    value.content.withLock { $0 = given }
                },
                finish: { continuation.resume(returning: $0) })
            let begins = state.withLock { state in
                state.waiting.append(job)
                defer { state.isDraining = true }
                return !state.isDraining
            }
            if begins { connection.asyncWriteWithoutTransaction { [self] in drain($0) } }
        }
        if let failure { throw failure }
        guard let value = value.content.withLock({ $0 }) else { preconditionFailure("a job that did not fail has run") }
        return value
    }

    private func drain(_ database: Database) {
        while true {
            let jobs = state.withLock { state in
                let jobs = Array(state.waiting.prefix(Self.maximumJobs))
                state.waiting.removeFirst(jobs.count)
                if jobs.isEmpty { state.isDraining = false }
                return jobs
            }
            if jobs.isEmpty { return }
            process(jobs, database)
        }
    }
}

/// What a job gave, kept until it is finished.
private final class Box<Value: Sendable>: Sendable {
    let content = Mutex<Value?>(nil)
}

import Glibc

/// Runs all jobs of a simulation on one thread, in the order in which they become ready.
// Only the thread that made it enqueues and runs: `enqueue` checks that, so no job is ever seen by two threads.
final class OneThread: TaskExecutor, @unchecked Sendable {
    private var jobs: [UnownedJob] = []
    private let thread = pthread_self()

    func enqueue(_ job: consuming ExecutorJob) {
        precondition(pthread_equal(thread, pthread_self()) != 0, "a task of the simulation woke on another thread")
        jobs.append(UnownedJob(job))
    }

    /// Runs jobs until none is ready.
    func drain() {
        var next = 0
        while next < jobs.count {
            let job = jobs[next]
            next += 1
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        jobs.removeAll(keepingCapacity: true)
    }
}

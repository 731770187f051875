import Dispatch
import Handlers

/// A thread for one session. What libpq waits for, it waits for here, and never on a thread of the pool that Swift's
/// tasks share.
// The session is touched by what runs on the queue alone, which is one piece of work at a time.
final class Lane: @unchecked Sendable {
    private let queue = DispatchQueue(label: "ledger.postgres")
    private let interrupt: Interrupt
    private var session: PostgresSession?

    init() throws(PostgresError) { interrupt = try Interrupt() }

    /// Runs work on the session of this lane; nil when it has none that is alive.
    ///
    /// A cancelled task has the server stop its statement.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async -> Result<Value, any Error>? {
        await onQueue { lane in
            guard let session = lane.session, session.wire.isAlive() else {
                lane.session = nil
                return nil
            }
            return lane.run(body, session)
        }
    }

    /// Opens a session, and runs work on it.
    ///
    /// - Parameter connected: told how the opening went, before the work.
    func connect<Value: Sendable>(
        _ settings: PostgresSettings, password: String?, connected: @escaping @Sendable (PostgresError?) -> Void,
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async -> Result<Value, any Error> {
        await onQueue { lane in
            do throws(PostgresError) {
                let session = try PostgresSession(settings, password: password, interrupt: lane.interrupt)
                lane.session = session
                connected(nil)
                return lane.run(body, session)
            } catch {
                connected(error)
                return .failure(error)
            }
        }
    }

    private func run<Value>(
        _ body: (PostgresSession) throws -> Value, _ session: PostgresSession
    ) -> Result<Value, any Error> {
        let result = Result { try body(session) }
        session.settle()
        if session.wire.isBroken { self.session = nil }
        return result
    }

    private func onQueue<Outcome: Sendable>(_ work: @escaping @Sendable (Lane) -> Outcome) async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async { continuation.resume(returning: work(self)) }
            }
        } onCancel: {
            interrupt.ring()
        }
    }

    /// Makes the lane ready for its next caller.
    func reset() { interrupt.clear() }

    /// Ends the session, and tells when it is done.
    func close(_ done: @escaping @Sendable () -> Void) {
        queue.async {
            self.session = nil
            done()
        }
    }
}

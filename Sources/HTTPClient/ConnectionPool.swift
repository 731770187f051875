import Dispatch
import Synchronization

/// Connections to reuse. Each blocks a queue of its own while a request runs, never a thread of the shared pool.
package final class ConnectionPool: Sendable {
    /// How all connections of a pool behave.
    package struct Settings: Sendable {
        /// A file of certificates to trust instead of the system's: a small one makes a new connection cheap.
        package var certificates: String?
        /// `host:port` that every connection goes to, whatever the URL says; for tests.
        package var route: String?

        package init(certificates: String? = nil, route: String? = nil) {
            (self.certificates, self.route) = (certificates, route)
        }
    }

    private struct Lane: Sendable {
        let connection: Connection
        let queue: DispatchQueue
    }

    private struct State {
        /// The one used last is taken first: its connection is the likeliest to be still open.
        var idle: [Lane] = []
        var count = 0
        var waiting: [CheckedContinuation<Lane, Never>] = []
    }

    private let settings: Settings
    private let size: Int
    private let state = Mutex(State())

    /// - Parameter size: how many requests run concurrently; the others wait.
    package init(_ settings: Settings = Settings(), size: Int = 32) { (self.settings, self.size) = (settings, size) }

    /// Sends a request and gives the answer, whatever its status.
    package func send(_ request: HTTPRequest) async throws(TransportFailure) -> HTTPResponse {
        let lane = await take()
        let interruption = Interruption()
        let result: Result<HTTPResponse, TransportFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lane.queue.async {
                    let result = lane.connection.perform(request, interruption)
                    // Given back before the answer is: who has the answer finds the connection free.
                    self.give(lane)
                    continuation.resume(returning: result)
                }
            }
        } onCancel: {
            interruption.request()
        }
        return try result.get()
    }

    private func take() async -> Lane {
        await withCheckedContinuation { continuation in
            let lane: Lane? = state.withLock { state in
                if let lane = state.idle.popLast() { return lane }
                if state.count < size {
                    state.count += 1
                    return Lane(connection: Connection(settings), queue: DispatchQueue(label: "http"))
                }
                state.waiting.append(continuation)
                return nil
            }
            if let lane { continuation.resume(returning: lane) }
        }
    }

    private func give(_ lane: Lane) {
        let next: CheckedContinuation<Lane, Never>? = state.withLock { state in
            if state.waiting.isEmpty {
                state.idle.append(lane)
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: lane)
    }
}

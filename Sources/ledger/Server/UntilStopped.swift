import Handlers
import ServiceLifecycle

/// Work that goes on until the program is told to stop.
struct UntilStopped: Service {
    let work: @Sendable (Stop) async throws -> Void

    init(_ work: @escaping @Sendable (Stop) async throws -> Void) { self.work = work }

    func run() async throws {
        let stop = Stop(alarm: .real)
        // Cancelled when another service could not begin: the work ends as well, or the process would stay.
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await work(stop)
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
    }
}

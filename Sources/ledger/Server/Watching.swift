import API
import Handlers
import ServiceLifecycle

/// Asks in the background how the ledger is doing, until the server is told to stop.
struct Watching: Service {
    let watch: StatusWatch

    func run() async throws {
        let stop = Stop(alarm: .real)
        await withTaskCancellationOrGracefulShutdownHandler {
            await watch.run(until: stop)
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
    }
}

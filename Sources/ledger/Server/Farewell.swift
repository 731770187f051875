import Dispatch
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// How a program ends that was told to: what is in hand is finished, given up after some seconds, and in the end left
/// behind, whoever stands still. Each of these loses nothing: what was accepted is stored, and what was in hand comes
/// again.
enum Farewell {
    /// How long what is in hand may take.
    private static let patience: Duration = .seconds(4)
    /// How long a database may take to let go, counted from the beginning, in seconds.
    private static let lastCallSeconds = 9

    /// Runs services until a signal ends them, the last of the list first.
    static func run(_ services: [any Service], _ logger: Logger) async throws {
        // Told first, and done immediately.
        let all = services + [LastCall(logger: logger)]
        var configuration = ServiceGroupConfiguration(
            services: all.map { service in
                .init(
                    service: service,
                    successTerminationBehavior: service is LastCall ? .ignore : .cancelGroup)
            }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = patience
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError {
            // Some of it was given up.
        }
    }

    /// Ends the process when all else has failed to.
    private struct LastCall: Service {
        let logger: Logger

        func run() async throws {
            try await gracefulShutdown()
            let logger = logger
            // Not a task: it comes though every thread of the pool stands still.
            DispatchQueue(label: "ledger.farewell").asyncAfter(deadline: .now() + .seconds(lastCallSeconds)) {
                logger.warning("stopped; what still stood still is left behind, and comes again")
                _exit(0)
            }
        }
    }
}

import ArgumentParser
import Handlers
import HostSystem
import Logging
import SQLiteEngine
import ServiceLifecycle
import UnixSignals

/// `ledger mirror run`.
struct RunMirror: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Keeps the mirror up to the ledger until it is interrupted; `serve --mirror` does the same.",
        discussion: """
            It may run beside a server, and twice: whoever is slower writes nothing.

            EXAMPLE
              ledger mirror run --data /var/lib/ledger
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        if options.engine == .aws {
            throw Refusal(
                "on AWS the mirror follows the change stream: `ledger worker --only stream`, or the function "
                    + "appointment-mirror")
        }
        let logger = shell.logger("ledger", level: options.log.logLevel)
        let ledger = try await options.open(in: shell, logger: logger)
        guard case .embedded(let files) = ledger.engine else { return }
        let mirror = try ledger.requireMirror()
        try await mirror.check(ledger.store, feed: ledger.feed)
        logger.notice("mirroring", metadata: ["to": "\(mirror.summary)"])
        let pump = MirrorPump(
            runner: ledger.runner(into: mirror, following: ledger.feed), mirror: mirror.worker, now: System.now,
            logger: logger)
        let work = UntilStopped { await pump.run(until: $0, appended: files.file.appended) }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: work)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}

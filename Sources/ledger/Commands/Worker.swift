import AWSEngine
import ArgumentParser
import Handlers
import Logging

/// `ledger worker`: what Lambda would be invoked for, polled by one process.
struct Worker: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Polls the queues and the change stream on AWS: router, view, country processors, sweeper, mirror.",
        discussion: """
            For those who run containers rather than Lambda. Any number of workers may run at once. It handles the \
            countries whose database the environment names (RDS_HOST_PE, RDS_URL_CL, …), and keeps the mirror that \
            RDS_HOST_LEDGER or RDS_URL_LEDGER names. It stops at SIGTERM, once what is in hand is done.

            EXAMPLES
              ledger worker
              RDS_URL_PE=postgresql://… ledger worker --only queues
              RDS_URL_LEDGER=postgresql://… ledger worker --only stream
            """)

    /// A part of the work.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case queues
        case stream
    }

    @Option(help: "Do a part of the work alone: queues, or stream (router, view and mirror).") var only: Part?
    @Option(help: "Seconds after which an appointment that stands still is sent round again.")
    var sweepAfter = Int(Sweeper.patienceMilliseconds / 1000)
    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (1...86_400).contains(sweepAfter) else { throw ValidationError("--sweep-after is 1 to 86400 seconds") }
    }

    func run(in shell: Shell) async throws {
        let logger = shell.logger("ledger-worker", level: log.logLevel)
        let ledger = try await Ledger.onAWS(in: shell, logger)
        guard case .aws(let aws, let persons) = ledger.engine else { return }
        if only != .stream { try await ledger.countryPools.check(logger) }
        if only != .queues, let mirror = ledger.mirror {
            try await mirror.checkUnlessAway(logger, aws.store, feed: nil)
        }
        let identity = IdentityWatch(aws: aws, identity: ledger.identity, logger: logger)
        let pumps = Pumps(ledger: ledger, sweepAfterMilliseconds: Int64(sweepAfter) * 1000, logger: logger)
        try await Farewell.run(
            [
                UntilStopped { try await identity.run(until: $0) },
                UntilStopped { await pumps.run(aws, persons, only: only, until: $0) },
            ], logger)
        logger.notice("stopped; what was in hand is done")
    }
}

import ArgumentParser
import EventStore
import Handlers
import HostSystem
import Logging
import PostgresEngine
import Projections
import SQLiteEngine
import ServiceLifecycle
import UnixSignals

/// `ledger mirror`: the copy in PostgreSQL that auditors query.
struct MirrorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mirror", abstract: "Keeps, shows and fills the ledger's mirror in PostgreSQL.",
        discussion: """
            The mirror is the database that RDS_URL_LEDGER names, or RDS_HOST_LEDGER and its companions. Make its \
            tables first, with `ledger migrate up`.

            EXAMPLES
              ledger mirror run
              ledger mirror status
              ledger mirror backfill
              ledger mirror adopt --dry-run
              ledger mirror rewind --dry-run
            """,
        subcommands: [Run.self, Status.self, Backfill.self, MirrorAdopt.self, MirrorRewind.self])

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keeps the mirror up to the ledger until it is interrupted; `serve --mirror` does the same.",
            discussion: """
                It may run beside a server, and twice: whoever is slower writes nothing.

                EXAMPLE
                  ledger mirror run --data /var/lib/ledger
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            try options.requireEmbedded(
                "on AWS the mirror follows the change stream: `ledger worker --only stream`, or the function "
                    + "appointment-mirror")
            let logger = Logs.start("ledger", level: options.logLevel)
            let ledger = try await Embedded.open(options.data)
            let mirror = try ledger.requireMirror()
            try await mirror.check(ledger.store, feed: ledger.store)
            logger.notice("mirroring", metadata: ["to": "\(mirror.summary)"])
            let group = ServiceGroup(
                configuration: .init(
                    services: [
                        .init(
                            service: MirrorLoop(
                                runner: ledger.runner(into: mirror), mirror: mirror, appended: ledger.file.appended,
                                logger: logger))
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
            try await group.run()
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows how far the mirror has come; exits with 3 when it is behind, ahead or keeps conflicts.",
            discussion: """
                `state` says how it stands to the ledger: following, unclaimed (it belongs to none yet), ahead (it \
                has what the ledger does not: the ledger was put back), other-epoch, other-ledger, or misplaced (its \
                checkpoint was moved ahead). `lag` is empty unless it follows.

                EXAMPLE
                  ledger mirror status --format json
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            let mirror = try ledger.requireMirror()
            let status = try await MirrorStatus.read(
                mirror.probe, through: mirror.gate(mirror.probe, ledger.store),
                following: try await ledger.order(mirror), now: System.now())
            if let damage = status.damage { throw Refusal("the mirror \(mirror.summary) is damaged: \(damage)") }
            guard let progress = status.progress else {
                throw Refusal("the mirror \(mirror.summary) does not answer: is its server up, and `migrate up` done?")
            }
            if case .otherLedger = progress.standing, let problem = progress.problem { throw Refusal(problem) }
            var printer = options.printer([
                "answers", "position", "checkpoint", "lag", "lagSeconds", "conflicts", "state", "ahead",
            ])
            try printer.row { writer in writer.object { $0.members(of: status) } }
            try printer.finish()
            if let problem = progress.problem { report("ledger: \(problem)") }
            if !status.isUpToDate { throw ExitCode(3) }
        }
    }

    struct Backfill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes in all that the ledger holds and the mirror does not, from the first event on.",
            discussion: """
                What the mirror has already is compared with the ledger and passed over. An empty mirror is filled \
                without the indexes of readers, which are built at the end.

                EXAMPLE
                  ledger mirror backfill
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            let mirror = try ledger.requireMirror()
            try await mirror.checkSchema()
            let feed = try await ledger.order(mirror)
            let head = try await feed.head()
            let progress = Progress()
            let before = try await mirror.worker.state()
            try await mirror.worker.fill { () async throws(EventStoreError) in
                try await ledger.runner(into: mirror, following: feed)
                    .backfill(now: System.now(), limit: MirrorPump.batch) { progress.show($0, of: head) }
            }
            progress.clear()
            let after = try await mirror.worker.state()
            report(
                """
                ledger: \(after.position - before.position) events of \(head) were taken in; \
                `ledger mirror status` shows the mirror, `ledger verify --mirror` compares it
                """)
        }
    }
}

/// The mirror's worker as something that runs until the program is told to stop.
private struct MirrorLoop: Service {
    let runner: MirrorRunner
    let mirror: Mirror
    /// Rings when events were appended.
    let appended: Doorbell
    let logger: Logger

    func run() async throws {
        let stop = Stop(alarm: .real)
        let pump = MirrorPump(
            runner: runner, mirror: mirror.worker, now: System.now, logger: logger)
        await withTaskCancellationOrGracefulShutdownHandler {
            await pump.run(until: stop, appended: appended)
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
    }
}

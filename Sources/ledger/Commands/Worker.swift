import AWSEngine
import Appointments
import ArgumentParser
import EventStore
import Handlers
import HostSystem
import Logging
import ServiceLifecycle

/// `ledger worker`: what Lambda would be invoked for, polled by one process.
struct Worker: AsyncParsableCommand {
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
    @Option(
        help: "trace, debug, info, notice, warning, error or critical; otherwise $LOG_LEVEL.",
        transform: Logs.level)
    var logLevel: Logger.Level?

    func validate() throws {
        guard (1...86_400).contains(sweepAfter) else { throw ValidationError("--sweep-after is 1 to 86400 seconds") }
    }

    func run() async throws {
        let logger = Logs.start("ledger-worker", level: logLevel)
        let remote = try await Remote.open(System.environment)
        if only != .stream { try await remote.countryPools.check(logger) }
        if only != .queues, let mirror = remote.mirror {
            try await mirror.checkUnlessAway(logger, remote.ledger.store, feed: nil)
        }
        let pollers = Pollers(
            remote: remote, only: only, sweepAfterMilliseconds: Int64(sweepAfter) * 1000, logger: logger)
        try await Farewell.run([IdentityWatch(remote: remote, logger: logger), pollers], logger)
        logger.notice("stopped; what was in hand is done")
    }
}

/// Polls until it is told to stop.
struct Pollers: Service {
    /// How long a receive waits for a message, in milliseconds: as long as a stop has to wait for it.
    private static let waitMilliseconds: Int64 = 3000

    let remote: Remote
    let only: Worker.Part?
    let sweepAfterMilliseconds: Int64
    let logger: Logger

    func run() async throws {
        let stop = Stop(alarm: .real)
        logger.notice("working", metadata: ["on": "\(only?.rawValue ?? "queues and stream")"])
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                if only != .stream { pollQueues(&group, stop) }
                if only != .queues { followStream(&group, stop) }
            }
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
    }

    private func pollQueues(_ group: inout TaskGroup<Void>, _ stop: Stop) {
        for (name, queue) in remote.ledger.queues {
            // Who has no database of a country leaves its messages to others.
            if let country = name.country, !remote.countryPools.contains(country) {
                logger.notice(
                    "no database is configured for a country; its queue is left to others",
                    metadata: ["countryISO": "\(country.code)"])
                continue
            }
            let pump = QueuePump(name, queue: queue, performer: remote.performer, logger: logger)
            group.addTask {
                await pump.run(until: stop, batch: QueueSettings.batch, waitMilliseconds: Self.waitMilliseconds)
            }
        }
        let sweeper = Sweeper(
            views: remote.ledger.views, log: remote.ledger.sweepLog, performer: remote.performer,
            asking: remote.countryPools.probes, patienceMilliseconds: sweepAfterMilliseconds, logger: logger)
        group.addTask { await sweeper.run(until: stop) }
    }

    private func followStream(_ group: inout TaskGroup<Void>, _ stop: Stop) {
        let handler = remote.ledger.streamHandler(remote.performer, remote.persons, logger: logger)
        let seen = SeenNote(remote.ledger, of: remote.identity)
        group.addTask { [logger] in await Self.note(seen, until: stop, logger) }
        var consumers = [
            ChangeConsumer.routerAndViews(
                handler, views: remote.ledger.views,
                alarm: TamperAlarm(signs: remote.ledger.views, logger: logger),
                seen: seen, now: System.now)
        ]
        if let mirror = remote.mirror {
            consumers.append(
                .mirror(
                    remote.runner(into: mirror), mirror.worker, alarm: MirrorAlarm(logger: logger), now: System.now))
        }
        for consumer in consumers {
            let stream = DynamoDBChanges(
                remote.ledger.client, tables: remote.ledger.names.tables, consumer: consumer, now: System.now)
            group.addTask { [logger] in await stream.run(until: stop, logger: logger) }
        }
    }
    /// Notes what came last before the stream came to rest.
    private static func note(_ seen: SeenNote, until stop: Stop, _ logger: Logger) async {
        while !stop.isRequested {
            await stop.sleep(milliseconds: SeenNote.everyMilliseconds)
            do throws(EventStoreError) {
                try await seen.flush()
            } catch {
                logger.warning("how far the ledger has come can't be noted", metadata: ["error": "\(error)"])
            }
        }
    }
}

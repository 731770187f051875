import Handlers
import HostSystem
import Logging
import SQLiteEngine
import ServiceLifecycle

/// Runs the pumps of the embedded ledger: router, queues and sweeper, until the server is told to stop.
struct Pumps: Service {
    /// How many messages or events a pump has in hand together.
    static let batch = 64
    /// How long a pump waits for a message before it looks whether it should stop.
    static let waitMilliseconds: Int64 = 250

    let ledger: Embedded
    let callers: Callers
    /// The mirror that is kept up to the ledger here; nil when another process does it, or there is none.
    let mirror: Mirror?
    let sweepAfterMilliseconds: Int64
    let logger: Logger

    func run() async throws {
        let stop = Stop(alarm: .real)
        // Cancelled when the server could not begin: the pumps end as well, or the process would stay.
        await withTaskCancellationOrGracefulShutdownHandler {
            await pump(until: stop)
        } onCancelOrGracefulShutdown: {
            stop.request()
        }
        await SeenPump(ledger, logger: logger).note()
        logger.info("the pumps have finished what was in hand")
    }

    private func pump(until stop: Stop) async {
        await withTaskGroup(of: Void.self) { group in
            for name in QueueName.allCases {
                let pump = QueuePump(
                    name, queue: ledger.messaging.queue(name), performer: ledger.performer, logger: logger)
                group.addTask {
                    await pump.run(
                        until: stop, batch: Self.batch, waitMilliseconds: Self.waitMilliseconds, yieldingTo: callers)
                }
            }
            let router = RouterPump(
                feed: ledger.store, checkpoints: ledger.views, control: ledger.views, performer: ledger.performer,
                logger: logger)
            let appended = ledger.file.appended
            group.addTask {
                await router.run(until: stop, batch: Self.batch, appended: appended, yieldingTo: callers)
            }
            let sweeper = Sweeper(
                views: ledger.views, log: ledger.sweepLog, performer: ledger.performer,
                asking: ledger.countryPools.probes, patienceMilliseconds: sweepAfterMilliseconds, logger: logger)
            group.addTask { await sweeper.run(until: stop) }
            let seen = SeenPump(ledger, logger: logger)
            group.addTask { await seen.run(until: stop) }
            if let mirror {
                let pump = MirrorPump(
                    runner: ledger.runner(into: mirror), mirror: mirror.worker, now: System.now, logger: logger)
                group.addTask { await pump.run(until: stop, appended: appended, yieldingTo: callers) }
            }
        }
    }
}

import AWSEngine
import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import Projections
import SQLiteEngine

/// Runs the pumps of a ledger: those of its queues, the sweeper, and what follows its events.
struct Pumps: Sendable {
    /// How many messages or events a pump of the embedded ledger has in hand together.
    private static let batch = 64
    /// How long a pump waits for a message before it looks whether it should stop.
    private static let waitMilliseconds: Int64 = 250
    /// The same on AWS, where a receive costs money.
    private static let longWaitMilliseconds: Int64 = 3000

    let ledger: Ledger
    let sweepAfterMilliseconds: Int64
    let logger: Logger

    /// Those of the embedded ledger.
    ///
    /// - Parameter callers: those who wait for a request to be recorded, to whom the pumps give way.
    /// - Parameter mirror: the mirror that is kept up to the ledger here; nil when another process does it, or there is
    ///   none.
    func run(_ files: EmbeddedFiles, _ callers: Callers, mirror: Mirror?, until stop: Stop) async {
        let seen = SeenPump(files, logger: logger)
        await withTaskGroup(of: Void.self) { group in
            pumpQueues(&group, stop, Self.batch, Self.waitMilliseconds, callers)
            let router = RouterPump(
                feed: ledger.store, checkpoints: ledger.views, control: ledger.views, performer: ledger.performer,
                logger: logger)
            let appended = files.file.appended
            group.addTask {
                await router.run(until: stop, batch: Self.batch, appended: appended, yieldingTo: callers)
            }
            if let tree = ledger.tree {
                let pump = TreePump(tree: tree, logger: logger)
                group.addTask { await pump.run(until: stop) }
            }
            group.addTask { await seen.run(until: stop) }
            if let mirror {
                let pump = MirrorPump(
                    runner: ledger.runner(into: mirror, following: ledger.store), mirror: mirror.worker,
                    now: System.now, logger: logger)
                group.addTask { await pump.run(until: stop, appended: appended, yieldingTo: callers) }
            }
        }
        await seen.note()
        logger.info("the pumps have finished what was in hand")
    }

    /// Those of the ledger on AWS.
    ///
    /// - Parameter only: the part of the work that is done here; nil for all.
    func run(_ aws: AWSLedger, _ persons: PersonKeys, only: Worker.Part?, until stop: Stop) async {
        logger.notice("working", metadata: ["on": "\(only?.rawValue ?? "queues and stream")"])
        await withTaskGroup(of: Void.self) { group in
            if only != .stream {
                pumpQueues(&group, stop, QueueSettings.batch, Self.longWaitMilliseconds, nil)
            }
            if only != .queues { followStream(&group, stop, aws, persons) }
        }
    }

    private func pumpQueues(
        _ group: inout TaskGroup<Void>, _ stop: Stop, _ batch: Int, _ waitMilliseconds: Int64, _ callers: Callers?
    ) {
        for (name, queue) in ledger.queues {
            // Who has no database of a country leaves its messages to others.
            if let country = name.country, ledger.performer.countries[country] == nil {
                logger.notice(
                    "no database is configured for a country; its queue is left to others",
                    metadata: ["countryISO": "\(country.code)"])
                continue
            }
            let pump = QueuePump(name, queue: queue, performer: ledger.performer, logger: logger)
            group.addTask {
                await pump.run(
                    until: stop, batch: batch, waitMilliseconds: waitMilliseconds, yieldingTo: callers)
            }
        }
        let sweeper = Sweeper(
            views: ledger.views, log: ledger.sweepLog, performer: ledger.performer,
            asking: ledger.countryPools.probes, patienceMilliseconds: sweepAfterMilliseconds, logger: logger)
        group.addTask { await sweeper.run(until: stop) }
    }

    private func followStream(
        _ group: inout TaskGroup<Void>, _ stop: Stop, _ aws: AWSLedger, _ persons: PersonKeys
    ) {
        let handler = aws.streamHandler(ledger.performer, persons, logger: logger)
        let seen = SeenNote(aws, of: ledger.identity)
        group.addTask { [logger] in await Self.note(seen, until: stop, logger) }
        var consumers = [
            ChangeConsumer.routerAndViews(
                handler, views: aws.views, alarm: TamperAlarm(signs: aws.views, logger: logger), seen: seen,
                now: System.now)
        ]
        if let mirror = ledger.mirror {
            consumers.append(
                .mirror(
                    ledger.runner(into: mirror, following: nil), mirror.worker, alarm: MirrorAlarm(logger: logger),
                    now: System.now))
        }
        for consumer in consumers {
            let stream = DynamoDBChanges(
                aws.client, tables: aws.names.tables, consumer: consumer, now: System.now)
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

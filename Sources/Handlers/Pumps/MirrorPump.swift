package import EventStore
package import Logging
package import Projections

/// Keeps a mirror up to its feed until it is told to stop. A mirror that does not answer keeps nobody waiting: the pump
/// comes back, and catches up by itself.
package struct MirrorPump: Sendable {
    /// Enough that what a batch costs by itself is little compared with its events.
    package static let batch = 5000
    /// How many entries are taken into the tree together.
    private static let treeStep = 10_000

    private let runner: MirrorRunner
    private let mirror: any MirrorStore
    private let now: @Sendable () -> Timestamp
    private let logger: Logger

    package init(
        runner: MirrorRunner, mirror: any MirrorStore, now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        (self.runner, self.mirror, self.now, self.logger) = (runner, mirror, now, logger)
    }

    /// Mirrors until it is told to stop.
    ///
    /// - Parameters:
    ///   - appended: rings when events were appended; without it the feed is looked at four times a second.
    ///   - callers: those of the API in the same process, who come first.
    package func run(
        until stop: Stop, batch: Int = MirrorPump.batch, appended: Doorbell, yieldingTo callers: Callers? = nil
    ) async {
        var conflicts = 0
        await Following("the mirror", logger: logger).run(until: stop) { () throws(EventStoreError) in
            await callers?.giveWay(stop)
            let rings = appended.rings
            let step = try await runner.step(now: now(), limit: batch)
            // Another worker's are seen while there is nothing to do.
            if step.events == 0 || step.conflicts > 0 { conflicts = try await alarm(beyond: conflicts) }
            guard step.events == 0, try await growTree() else { return }
            await appended.wait(since: rings, atMostMilliseconds: 250)
        }
    }

    /// Goes on with the tree over entries that were mirrored by a program without one; true once it has all of them.
    private func growTree() async throws(EventStoreError) -> Bool {
        do throws(EventStoreError) {
            return try await mirror.growTree(limit: Self.treeStep)
        } catch {
            // Damage, which `verify` names, keeps no event out of the mirror.
            try error.throwIfUnavailable()
            return true
        }
    }

    /// Logs the conflicts that the mirror keeps beyond those that were logged.
    private func alarm(beyond known: Int) async throws(EventStoreError) -> Int {
        let count = try await mirror.conflictCount()
        if count > known { MirrorAlarm(logger: logger).raise(count) }
        return count
    }
}

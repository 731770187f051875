package import EventStore
import Handlers
import MemoryEngine
import Projections
import Replay

/// A whole run from a seed: first with every fault of its mix, then without, until everything has come to rest.
///
/// After FoundationDB (Zhou et al., FoundationDB: A Distributed Unbundled Transactional Key Value Store, SIGMOD 2021,
/// section 4) and TigerBeetle's VOPR.
package enum Simulation {
    /// How long the second phase may take, in virtual milliseconds: what was delayed by days has time to arrive.
    private static let patienceMilliseconds: Int64 = 14 * 86_400_000

    /// Runs a plan to its end. The same plan gives the same outcome, to the last step.
    ///
    /// - Throws: what the making of the world throws; nothing that a fault does.
    package static func run(_ plan: Plan) throws(EventStoreError) -> Outcome {
        let world = try World(plan)
        let (crowd, operators) = (Crowd(world), Operators(world))
        try crowd.listSlots()
        for server in world.servers { server.start() }
        crowd.open()
        operators.begin()
        while world.steps < plan.steps, world.checks.violation == nil, world.timeline.runNext() {}
        crowd.close()
        operators.beginMending()
        world.heal()
        comeToRest(world, crowd, operators)
        if world.checks.violation == nil { world.checks.atRest(world) }
        if world.checks.violation == nil { verify(world) }
        let outcome = Outcome(
            plan: plan, steps: world.steps, appointments: world.checks.appointmentCount,
            virtualMilliseconds: world.timeline.now - World.start.milliseconds, violation: world.checks.violation,
            digest: world.trace.digest, strikes: world.faults.strikes, sightings: world.sightings.counts,
            lines: world.trace.lines)
        operators.leave()
        world.end()
        return outcome
    }

    /// Lets things happen until nothing is left to do, within a bound of time and steps.
    private static func comeToRest(_ world: World, _ crowd: Crowd, _ operators: Operators) {
        let (latest, most) = (world.timeline.now + patienceMilliseconds, 20 * world.plan.steps + 200_000)
        while world.checks.violation == nil, world.timeline.runNext() {
            if isAtRest(world, crowd, operators) { return }
            if world.timeline.now > latest || world.steps > most {
                world.checks.violate(
                    "does not come to rest: \(world.checks.open) open, \(unrest(world)), \(crowd.waiting) waiting")
            }
        }
    }

    private static func isAtRest(_ world: World, _ crowd: Crowd, _ operators: Operators) -> Bool {
        guard world.checks.open == 0, world.underway == 0, crowd.waiting == 0, operators.working == 0,
            !operators.needsBackfill
        else { return false }
        let head = world.store.headNow
        let contents = world.views.contents
        guard contents.parked.values.allSatisfy(\.isEmpty) else { return false }
        switch world.shape {
        case .stream: if world.stream.unread > 0 { return false }
        case .feed:
            guard contents.checkpoints[ProjectionRunner.projection] ?? 0 == head,
                contents.checkpoints[RouterPump.projection] ?? 0 == head
            else { return false }
        }
        guard world.mirror.contents.entries.count >= head || world.shape == .stream else { return false }
        return QueueName.allCases.allSatisfy { world.messaging.depthNow(of: $0).isEmpty }
    }

    private static func unrest(_ world: World) -> String {
        let queues = QueueName.allCases.map { name in
            let depth = world.messaging.depthNow(of: name)
            return "\(name.rawValue) \(depth.waiting)/\(depth.inFlight)/\(depth.dead)"
        }
        let parked = world.views.contents.parked.values.reduce(0) { $0 + $1.count }
        return "\(queues.joined(separator: " ")), \(parked) parked, \(world.stream.unread) unread, "
            + "mirror \(world.mirror.contents.entries.count) of \(world.store.headNow)"
    }

    /// Has the program's own `verify` look at the ledger, and replays all events into an empty view.
    private static func verify(_ world: World) {
        let people = PersonResolver(directory: world.directory, keys: world.keys)
        world.timeline.start {
            do throws(EventStoreError) {
                let report = try await Verify(
                    feed: world.store, scan: world.store, store: world.store, views: world.views, people: people
                ).run()
                if let finding = report.findings.first {
                    world.checks.violate("verify found \(finding.kind.rawValue): \(finding.message)")
                }
                let fresh = MemoryAppointmentView()
                let runner = ProjectionRunner(feed: world.store, store: world.store, views: fresh, people: people)
                while try await runner.step(now: world.now) > 0 {}
                if fresh.contents.rows != world.views.contents.rows {
                    world.checks.violate("replaying all events gives another view")
                }
            } catch {
                world.checks.violate("verify could not run: \(error)")
            }
        }
        world.timeline.executor.drain()
    }
}

extension QueueDepth {
    fileprivate var isEmpty: Bool { waiting == 0 && inFlight == 0 && dead == 0 }
}

import API
import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections

/// One process: an API, the pumps, and what they remember. A crash takes its memory and leaves what is durable.
// Everything in it runs on the one thread of its world.
final class Server: @unchecked Sendable {
    let id: Int
    let world: World
    let table: API
    let performer: Performer
    private(set) var isAlive = true
    private let stop: Stop
    let appended: Doorbell
    let links: Links

    init(_ id: Int, in world: World) {
        (self.id, self.world) = (id, world)
        stop = Stop(alarm: world.timeline.alarm)
        appended = Doorbell(alarm: world.timeline.alarm)
        let lifeline = Lifeline()
        links = Links(world: world, lifeline: lifeline)
        let random: @Sendable (Int) -> [UInt8] = { [unowned world] in world.random.bytes($0) }
        performer = Performer(
            store: links, subjects: SubjectKeys(directory: links, keys: world.keys, random: random),
            countries: [
                .peru: CountryLink(country: .peru, links: links), .chile: CountryLink(country: .chile, links: links),
            ],
            topics: links, bus: links, now: { [unowned world] in world.now })
        table = API(
            performer: performer, views: links,
            log: world.store,
            people: PersonResolver(directory: links, keys: world.keys),
            progress: ViewProgress(feed: links, checkpoints: links),
            audit: world.store, histories: links, trail: MemoryAccessLog(),
            authenticator: Authenticator(keys: MemoryAPIKeys()),
            status: StatusWatch(
                LedgerStatus(
                    feed: links, views: links, checkpoints: links,
                    projections: [ProjectionRunner.projection, RouterPump.projection], audit: world.store, queues: [:],
                    sweeps: links, now: { [unowned world] in world.now })),
            secrets: world.keys, elapsed: { [unowned world] in .milliseconds(world.timeline.now) }, random: random,
            logger: world.logger)
        lifeline.server = self
    }

    /// Ends the process for good, at the end of a run.
    func end() {
        isAlive = false
        stop.request()
    }

    /// Ends the process at once, and lets another take its place.
    func crash() {
        guard isAlive else { return }
        world.sightings.see(.crash)
        isAlive = false
        stop.request()
        world.replace(self, after: world.random.pickShort(upTo: 3_600_000))
    }

    /// Asks the process to finish what it has in hand, and lets another take its place.
    func shutDown() {
        guard isAlive else { return }
        stop.request()
        // Whoever deploys waits a while, and then kills it.
        world.timeline.after(60_000) { [self] in
            guard isAlive else { return }
            isAlive = false
            world.replace(self, after: 1_000)
        }
    }
}

// MARK: - Pumps

extension Server {
    /// Starts the pumps.
    func start() {
        for name in QueueName.allCases {
            let queue = QueueLink(name: name, links: links)
            let pump = QueuePump(
                name, queue: queue, performer: performer, alarm: world.timeline.alarm, logger: world.logger)
            run { [stop] in await pump.run(until: stop, batch: 4, most: 8, waitMilliseconds: 20_000) }
        }
        let sweeper = Sweeper(
            views: links, log: links, performer: performer, asking: performer.countries,
            patienceMilliseconds: Sweeper.patienceMilliseconds, logger: world.logger)
        run { [stop] in await sweeper.run(until: stop) }
        switch world.shape {
        case .feed: startFollowers()
        case .stream: startReaders()
        }
    }

    private func run(_ body: @escaping @Sendable () async -> Void) { world.timeline.start(body) }

    var router: RouterPump {
        RouterPump(feed: links, checkpoints: links, performer: performer, logger: world.logger)
    }

    var runner: ProjectionRunner {
        ProjectionRunner(feed: links, store: GapLink(links: links), views: links, people: people)
    }

    var mirrorRunner: MirrorRunner {
        MirrorRunner(feed: links, store: GapLink(links: links), mirror: links, people: people)
    }

    var people: PersonResolver { PersonResolver(directory: links, keys: world.keys) }

    /// Those that read the feed by position.
    private func startFollowers() {
        let (router, runner, mirror) = (router, runner, mirrorRunner)
        if world.plan.mutant == .routerCheckpointFirst {
            follow { server throws(EventStoreError) in try await server.routeAfterwards() }
        } else {
            run { [stop, appended] in await router.run(until: stop, batch: 8, appended: appended) }
        }
        follow { server throws(EventStoreError) in try await runner.step(now: server.world.now, limit: 16) }
        follow { server throws(EventStoreError) in try await mirror.step(now: server.world.now, limit: 16).events }
    }

    /// Those that take the records of the change stream.
    private func startReaders() {
        let handler = ChangeHandler(router: router, runner: runner, views: links)
        let mirror = mirrorRunner
        for shard in 0..<ChangeStream.shardCount {
            follow { server throws(EventStoreError) in
                try await server.read(shard, for: .handler) { batch throws(EventStoreError) in
                    if batch.isTrimmed {
                        _ = try await handler.backfill(from: server.links, batch: 32, now: server.world.now)
                        server.world.sightings.see(.trimmedStreamBackfill)
                    }
                    if batch.records.isEmpty { return }
                    if server.world.plan.mutant == .gapSkipped {
                        try await GapSkipper(links: server.links, people: server.people).handle(batch.records)
                        _ = try await server.router.route(batch.records)
                        return
                    }
                    try await handler.handle(batch.records, now: server.world.now)
                }
            }
            follow { server throws(EventStoreError) in
                try await server.read(shard, for: .mirror) { batch throws(EventStoreError) in
                    if batch.isTrimmed { try await mirror.backfill(now: server.world.now, limit: 32) }
                    if !batch.records.isEmpty { try await mirror.take(in: batch.records, now: server.world.now) }
                }
            }
        }
    }

    /// What a router does that moves its checkpoint first: the mutant of that name.
    private func routeAfterwards() async throws(EventStoreError) -> Int {
        let checkpoint = try await links.checkpoint(of: RouterPump.projection)
        let events = try await links.events(after: checkpoint, limit: 8)
        guard let last = events.last?.position else { return 0 }
        _ = try await links.commit(
            ProjectionCommit(checkpoint: last), of: RouterPump.projection, expecting: checkpoint)
        _ = try await router.route(events)
        return events.count
    }

    /// Takes in one batch of a shard and moves on behind it.
    private func read(
        _ shard: Int, for follower: ChangeStream.Follower,
        _ body: (ChangeStream.Batch) async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) -> Int {
        let batch = try await links.records(shard, for: follower)
        guard batch.next > batch.from || batch.isTrimmed else { return 0 }
        try await body(batch)
        try await links.advance(shard, of: follower, behind: batch)
        return batch.records.count
    }

    /// Repeats a step while there is something to do, and looks again a little later when there is not.
    private func follow(
        _ step: @escaping @Sendable (Server) async throws(EventStoreError) -> Int
    ) {
        run { [self, stop, appended] in
            while !stop.isRequested {
                let rings = appended.rings
                do throws(EventStoreError) {
                    if try await step(self) == 0 { await appended.wait(since: rings, atMostMilliseconds: 20_000) }
                } catch {
                    await stop.sleep(milliseconds: 1_000)
                }
            }
        }
    }
}

/// Ties the links of a server to it once it is made.
// Set once, on the run's thread.
final class Lifeline: @unchecked Sendable {
    weak var server: Server?
}

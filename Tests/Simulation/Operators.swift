import Appointments
import EventStore
import Handlers
import MemoryEngine
import Projections

/// What comes over the system from outside: outages, clocks, deployments, and operators with their tools.
// Everything in it runs on the one thread of its world.
final class Operators: @unchecked Sendable {
    private let world: World
    private var isMending = false
    private var hasLeft = false
    private var backup: MemoryMirror.Contents?
    private var poisonNumber = 0
    /// How many of their tools are running.
    private(set) var working = 0

    init(_ world: World) { self.world = world }

    /// Begins to do harm, every few minutes.
    func begin() {
        world.timeline.after(world.random.pick(10_000...600_000)) { [self] in
            if hasLeft { return }
            isMending ? mend() : strike()
            begin()
        }
    }

    /// Turns to mending what is left over.
    func beginMending() { isMending = true }

    /// Goes home, at the end of a run.
    func leave() { hasLeft = true }

    private func strike() {
        let (faults, timeline) = (world.faults, world.timeline)
        timeline.stir()
        if faults.strikes(.outage) {
            let component = World.Component(rawValue: Int(world.random.next() % 5)) ?? .store
            world.takeOut(component, milliseconds: world.random.pickShort(upTo: 1_800_000))
        }
        if faults.strikes(.clockStep) {
            let hours = [1, -1, 25, -2][Int(world.random.next() % 4)]
            world.clockError += Int64(hours) * 3_600_000
        }
        if faults.strikes(.restart), let server = world.anyServer() {
            world.random.next() & 1 == 0 ? server.crash() : server.shutDown()
        }
        if faults.strikes(.trimmedStream) {
            world.stream.trim(before: timeline.now - world.random.pickShort(upTo: 3_600_000))
        }
        if faults.strikes(.poison) { sendPoison() }
        if faults.strikes(.mirrorRestored) { restoreMirror() }
        if faults.strikes(.rebuild) { work { [self] server in await rebuild(on: server) } }
        if faults.strikes(.replay) { work { [self] server in await replay(on: server) } }
        if faults.strikes(.redriveTwice) {
            work { [self] _ in await redrive() }
            work { [self] _ in await redrive() }
        }
        if faults.strikes(.giveUp) { work { [self] server in await giveUp(on: server) } }
        if world.random.happens(inMillion: 400_000) { mend() }
    }

    /// Does what an operator does who looks after the ledger: dead letters go back, parked appointments are retried.
    private func mend() {
        backfill()
        if !world.messaging.listNow().isEmpty { work { [self] _ in await redrive() } }
        if world.views.contents.parked.values.contains(where: { !$0.isEmpty }) {
            work { [self] server in await retryParked(on: server) }
        }
    }

    private func work(_ body: @escaping @Sendable (Server) async -> Void) {
        guard let server = world.anyServer() else { return }
        working += 1
        world.timeline.start { [self] in
            await body(server)
            working -= 1
        }
    }

    // MARK: Messages

    /// Puts something into a queue that nobody can handle.
    private func sendPoison() {
        poisonNumber += 1
        let queue = QueueName.allCases[Int(world.random.next() % 4)]
        let nobody = AppointmentID(Identifier(high: 1, low: UInt64(poisonNumber)))
        let country = queue == .chile ? "CL" : "PE"
        let bodies = [
            "not JSON \(poisonNumber)", #"{"eventType":"AppointmentMoved","number":\#(poisonNumber)}"#,
            """
            {"eventType":"AppointmentRequested","appointmentId":"\(nobody)","scheduleId":1,"countryISO":"\(country)",\
            "timestamp":"2026-03-02T15:00:00.000Z","correlationId":"c","status":"PROCESSED"}
            """,
        ]
        let body = Array(bodies[Int(world.random.next() % 3)].utf8)
        world.checks.poisoned(body)
        world.messaging.sendNow([OutgoingMessage(body: body)], to: queue)
        world.bells[queue]?.ring()
    }

    /// Puts dead letters back, except those that nobody can ever handle: they are taken away.
    private func redrive() async {
        let letters = world.messaging.listNow()
        await world.timeline.pause(world.random.pick(1...200))
        var ids: [String] = []
        for letter in letters {
            if world.checks.isPoison(letter.body) {
                if world.messaging.removeNow(letter.id) { world.checks.buried(letter.body) }
            } else {
                ids.append(letter.id)
            }
        }
        let present = Set(world.messaging.listNow().map(\.id))
        if world.messaging.redriveNow(ids) > 0 {
            world.sightings.see(.redrive)
            world.timeline.stir()
            for bell in QueueName.allCases.compactMap({ world.bells[$0] }) { bell.ring() }
        }
        for id in ids where present.contains(id) { world.checks.redriven(id) }
    }

    // MARK: Appointments

    private func giveUp(on server: Server) async {
        if world.plan.mutant == .failedAfterCompleted {
            if let id = world.checks.completedAppointment(world.random.next()) { failAnyway(id) }
            return
        }
        for _ in 0..<3 {
            guard let id = world.checks.openAppointment(world.random.next()) else { return }
            let procedure = GiveUp(id, actor: "operator:sim", message: "given up")
            if case .done? = try? await server.performer.run(procedure) { world.sightings.see(.giveUp) }
        }
    }

    private func failAnyway(_ id: AppointmentID) {
        guard let loaded = try? LoadedAppointment(world.store.readNow(id.stream)), let last = loaded.events.last,
            let country = loaded.state.request?.country
        else { return }
        let failed = Failed(reason: .processingExhausted, stage: .operator, message: "given up")
        let context = EventContext(
            at: last.entry.at, country: country, actor: "operator:sim", correlation: "c", causation: nil)
        let id = NewEvent.derivedID(id.stream, version: last.version + 1, type: EventType.failed.rawValue)
        _ = try? world.append(
            [NewEvent(.failed(failed), id: id, context: context)], to: last.stream, expecting: .version(last.version))
    }

    private func retryParked(on server: Server) async {
        for (projection, isRouter) in [(ProjectionRunner.projection, false), (RouterPump.projection, true)] {
            guard let parked = try? await server.links.parked(by: projection) else { return }
            for event in parked {
                do throws(EventStoreError) {
                    let left =
                        isRouter
                        ? try await server.router.retry(event.appointment)
                        : try await server.runner.retry(event.appointment, now: world.now)
                    if left == nil { world.sightings.see(.parkedRetried) }
                } catch {
                    // The next round of mending tries again.
                    return
                }
            }
        }
    }

    // MARK: Derived

    private func restoreMirror() {
        guard let backup else {
            self.backup = world.mirror.contents
            return
        }
        self.backup = nil
        world.mirror.restore(backup)
        world.checks.mirrorRestored(to: backup.entries)
        world.sightings.see(.mirrorRestored)
        // A change stream does not go back with it: what is missing is fetched from the store.
        if world.shape == .stream { (needsBackfill, restores) = (true, restores + 1) }
        backfill()
    }

    private(set) var needsBackfill = false
    private var restores = 0

    private func backfill() {
        guard needsBackfill else { return }
        let restore = restores
        work { [self] server in
            let isFilled = (try? await server.mirrorRunner.backfill(now: world.now, limit: 32)) != nil
            // What it has filled is gone again when another copy was put back meanwhile.
            if isFilled, restore == restores { needsBackfill = false }
        }
    }

    /// Builds the view anew beside the live one, and swaps.
    private func rebuild(on server: Server) async {
        let fresh = MemoryAppointmentView()
        let runner = ProjectionRunner(
            feed: server.links, store: server.links, views: fresh, people: server.people)
        for _ in 0..<1_000 {
            guard let count = try? await runner.step(now: world.now, limit: 32) else { return }
            if count == 0, await swap(fresh, on: server) { return }
        }
    }

    private func swap(_ fresh: MemoryAppointmentView, on server: Server) async -> Bool {
        let (new, name) = (fresh.contents, ProjectionRunner.projection)
        if world.shape == .stream {
            // Row by row, each on condition that it is not older than what is there.
            let rows = new.rows.values.sorted { $0.appointment < $1.appointment }
            try? await server.links.put(rows, parking: [], by: name)
            return true
        }
        let isSwapped = try? await server.links.call(.commit) { () throws(EventStoreError) -> Bool in
            let live = world.views.contents
            guard new.checkpoints[name] ?? 0 >= live.checkpoints[name] ?? 0, new.rows.count >= live.rows.count else {
                return false
            }
            world.views.change { contents in
                contents.rows = new.rows
                contents.checkpoints[name] = new.checkpoints[name]
                contents.parked[name] = new.parked[name]
            }
            world.sightings.see(.rebuildSwapped)
            return true
        }
        world.checks.wrote(new.rows.values.sorted { $0.appointment < $1.appointment }, in: world.views)
        return isSwapped ?? true
    }

    /// Sends recorded events out again, while everything runs.
    private func replay(on server: Server) async {
        // A stretch of the log is enough: a replay of all of it would fill the queues for the rest of the run.
        let from = Int(world.random.next() % UInt64(world.store.headNow + 1))
        let events = world.store.eventsNow(after: from, limit: 100)
        for start in stride(from: 0, to: events.count, by: 16) {
            let some = Array(events[start..<min(start + 16, events.count)])
            guard (try? await server.router.route(some)) != nil else { return }
        }
        for event in events where event.version == 1 {
            guard case .requested(let request)? = try? Codec.decode(event.entry) else { continue }
            let message = CountryMessage(
                .requested, appointment: event.stream.appointment, schedule: request.schedule,
                country: request.country, at: event.entry.at, correlation: event.entry.correlation)
            let topic = TopicName(of: request.country)
            world.deliver { [world] in
                world.messaging.publishNow(message.outgoing, to: topic)
                world.bells[QueueName(of: request.country)]?.ring()
            }
        }
    }
}

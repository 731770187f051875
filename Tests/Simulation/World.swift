import Appointments
import EventStore
import Handlers
import Logging
import MemoryEngine

/// What a run is made of: what is durable, the servers that work on it, and what watches them.
// All of it lives on the one thread of its timeline.
final class World: @unchecked Sendable {
    /// How events reach those who follow them.
    enum Shape: CaseIterable {
        /// A feed of positions, each follower with its checkpoint: the embedded ledger.
        case feed
        /// A change stream of single records: DynamoDB.
        case stream
    }

    /// What may be out as a whole.
    enum Component: Int, CaseIterable {
        case store, views, queues, country, mirror
    }

    let plan: Plan
    let shape: Shape
    let timeline: Timeline
    let faults: FaultSource
    let trace: Trace
    let checks = Checks()
    let sightings = Sightings()
    /// Draws what clients, operators and networks do; faults have a source of their own.
    var random: SplitMix
    let logger = Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() })

    let store = MemoryEventStore()
    let views = MemoryAppointmentView()
    let directory = MemorySubjectDirectory()
    let keys: KeyRing
    let countries: [Country: MemoryCountryDatabase]
    let messaging: MemoryMessaging
    let sweepLog: MemorySweepLog
    let mirror = MemoryMirror()
    let stream: ChangeStream
    let bells: [QueueName: Doorbell]
    private(set) var servers: [Server] = []
    /// Until when each component is out, in virtual milliseconds.
    private var outages = [Int64](repeating: 0, count: Component.allCases.count)
    /// By how much the machine's clock is wrong, in milliseconds.
    var clockError: Int64 = 0
    /// Messages that were sent and have not reached their queue.
    var underway = 0
    private(set) var steps = 0
    /// The bodies of received messages by receipt, for a mutant that sends them anew.
    var bodies: [String: [UInt8]] = [:]

    /// Monday 2 March 2026, 10:00 in Lima.
    static let start = Timestamp(milliseconds: 1_772_463_600_000)

    init(_ plan: Plan) throws(EventStoreError) {
        self.plan = plan
        timeline = Timeline(start: Self.start)
        trace = Trace(isKept: plan.isTraced)
        random = SplitMix(seed: plan.seed)
        shape = random.happens(inMillion: 500_000) ? .feed : .stream
        faults = FaultSource(seed: plan.seed, allowed: plan.allowed)
        keys = try KeyRing(master: Array(repeating: 7, count: 32))
        let owners = ScheduleOwners()
        countries = [
            .peru: MemoryCountryDatabase(.peru, owners: owners), .chile: MemoryCountryDatabase(.chile, owners: owners),
        ]
        let (timeline, clock) = (timeline, Clock())
        let hidden = { @Sendable (now: Timestamp) in
            plan.mutant == .hiddenWithoutBound
                ? now.adding(milliseconds: 1)...Timestamp(milliseconds: .max) : QueueSettings.hidden(at: now)
        }
        messaging = MemoryMessaging(
            now: { Timestamp(milliseconds: timeline.now + clock.error()) }, hidden: hidden)
        sweepLog = MemorySweepLog(views: views)
        stream = ChangeStream()
        bells = Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, Doorbell(alarm: timeline.alarm)) })
        clock.error = { [unowned self] in clockError }
        for id in 1...2 { servers.append(Server(id, in: self)) }
    }

    // Read and set on the run's thread alone.
    private final class Clock: @unchecked Sendable {
        var error: () -> Int64 = { 0 }
    }

    /// The time that the machine's clock shows.
    var now: Timestamp { Timestamp(milliseconds: timeline.now + clockError) }

    /// Counts a step: an effect that was carried out or failed.
    func step(_ server: Int, _ effect: Operation, _ result: Trace.Result) {
        steps += 1
        trace.note(timeline.now, server, effect, result)
        if effect.changesSomething, result == .done { timeline.stir() }
    }

    func isOut(_ component: Component) -> Bool { outages[component.rawValue] > timeline.now }

    /// Takes a component out for a time.
    func takeOut(_ component: Component, milliseconds: Int64) {
        outages[component.rawValue] = max(outages[component.rawValue], timeline.now + milliseconds)
    }

    /// Ends all that is wrong: no fault strikes any more, and what was out is back.
    func heal() {
        faults.isOn = false
        outages = outages.map { _ in 0 }
    }

    /// A server in the place of one that is gone, after a while.
    func replace(_ server: Server, after milliseconds: Int64) {
        timeline.after(milliseconds) { [self] in
            guard let place = servers.firstIndex(where: { $0 === server }) else { return }
            servers[place] = Server(server.id, in: self)
            servers[place].start()
        }
    }

    /// Ends the run: everything that waits is woken and finds its server gone.
    func end() {
        for server in servers { server.end() }
        servers = []
        while timeline.runNext() {}
    }

    /// A server that is up; nil when none is.
    func anyServer() -> Server? {
        let up = servers.filter(\.isAlive)
        return up.isEmpty ? nil : up[Int(random.next() % UInt64(up.count))]
    }
}

// MARK: - What lands

extension World {
    /// Appends at once, and has the change stream and the checks take note of what is new.
    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) throws(EventStoreError) -> [RecordedEvent] {
        let recorded = try store.appendNow(events, to: stream, expecting: expectation)
        for event in recorded {
            guard checks.appended(event) else {
                sightings.see(.conflictIsMine)
                continue
            }
            let available = self.stream.add(event, at: timeline.now, faults, &random)
            timeline.after(available - timeline.now) { [self] in
                for server in servers { server.appended.ring() }
            }
        }
        return recorded
    }

    /// Sends a message on its way: it arrives once or more often, soon or late.
    func deliver(_ arrive: @escaping () -> Void) {
        var copies = 1
        if faults.strikes(.duplicate) { copies += Int(random.pick(1...4)) }
        for _ in 0..<copies {
            var milliseconds = random.pick(1...30)
            switch faults.strike([.delay, .reorder]) {
            case .delay: milliseconds = random.pickShort(upTo: 3 * 86_400_000)
            case .reorder: milliseconds = random.pick(1...5_000)
            default: break
            }
            underway += 1
            timeline.after(milliseconds) { [self] in
                underway -= 1
                timeline.stir()
                arrive()
            }
        }
    }
}

package import Appointments
package import EventStore
package import Handlers
package import Projections
import Synchronization

/// Reads how the ledger is doing: for `/health/ready`, `/metrics` and the command line.
package final class LedgerStatus: Sendable {
    private let feed: any EventFeed
    private let views: any AppointmentView
    private let checkpoints: any ConsumerStore
    private let control: (any ConsumerControl)?
    private let sets: (any ViewCopies)?
    private let projections: [ConsumerName]
    private let audit: any AuditLog
    private let queues: [QueueName: any MessageQueue]
    private let countries: [Country: any CountryDatabase]
    private let mirror: (any MirrorStore)?
    private let mirrorGate: MirrorGate?
    private let sweeps: any SweepLog
    private let lastRound: LastRound?
    /// Says why nothing can be written; nil when it can.
    let writeProblem: @Sendable () async -> String?
    private let stallMilliseconds: Int64
    /// A worker notes once a minute that it came to the end of the change stream.
    private static let roundMilliseconds: Int64 = 180_000
    private let patienceMilliseconds: Int64
    private let now: @Sendable () -> Timestamp
    /// Since when each projection was seen to lag at the same checkpoint.
    private let lagging = Mutex<[ConsumerName: (checkpoint: Int, since: Timestamp)]>([:])

    /// - Parameter control: says who is held, and when each last moved; without it what this process has seen counts.
    /// - Parameter sets: tells whether the view is being rebuilt.
    /// - Parameter projections: the consumers of the feed whose checkpoints are watched.
    /// - Parameter countries: the countries' databases that stand outside of the store, and are asked whether they
    ///   answer. They are to give up soon when they don't.
    /// - Parameter mirror: the mirror that follows the feed, asked how far it has come. It too is to give up soon.
    /// - Parameter mirrorGate: knows whose that mirror has to be.
    /// - Parameter lastRound: says when a worker last came to the end of the change stream, where the projections
    ///   follow one and have no checkpoint that tells how far they are.
    /// - Parameter writeProblem: says why nothing can be written; nil when it can.
    /// - Parameter stallMilliseconds: a projection that lags and does not move for so long is stalled.
    /// - Parameter patienceMilliseconds: how long the sweeper waits after its last round.
    package init(
        feed: any EventFeed, views: any AppointmentView, checkpoints: any ConsumerStore,
        control: (any ConsumerControl)? = nil, sets: (any ViewCopies)? = nil, projections: [ConsumerName],
        audit: any AuditLog, queues: [QueueName: any MessageQueue], countries: [Country: any CountryDatabase] = [:],
        mirror: (any MirrorStore)? = nil, mirrorGate: MirrorGate? = nil, sweeps: any SweepLog,
        lastRound: LastRound? = nil, writeProblem: @escaping @Sendable () async -> String? = { nil },
        stallMilliseconds: Int64 = 30_000,
        patienceMilliseconds: Int64 = Sweeper.patienceMilliseconds, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.feed, self.views, self.checkpoints, self.projections) = (feed, views, checkpoints, projections)
        (self.control, self.sets, self.mirror, self.lastRound) = (control, sets, mirror, lastRound)
        self.mirrorGate = mirrorGate
        (self.audit, self.queues, self.countries, self.sweeps, self.now) = (audit, queues, countries, sweeps, now)
        self.writeProblem = writeProblem
        (self.stallMilliseconds, self.patienceMilliseconds) = (stallMilliseconds, patienceMilliseconds)
    }

    /// Whether the ledger can do its work: the cheap half of `read`.
    ///
    /// - Throws: `unavailable` when the store or a queue does not answer.
    package func readiness() async throws(EventStoreError) -> Readiness {
        let (head, projections) = try await projectionStatus()
        var readiness = Readiness(head: head)
        readiness.projections = projections
        readiness.queues = try await queueStatus()
        readiness.countries = await countryStatus()
        if mirror != nil { readiness.mirror = try await mirrorStatus() }
        return readiness
    }

    /// The position of the last event.
    func head() async throws(EventStoreError) -> Int { try await feed.head() }

    /// The head, and how far the consumers of the feed lag.
    func projectionStatus() async throws(EventStoreError) -> (head: Int, [ConsumerStatus]) {
        let now = now()
        // Checkpoints first: one that moves meanwhile must not look as if it were ahead of the head.
        var progress: [(ConsumerName, checkpoint: Int, parked: [ParkedEvent])] = []
        for name in projections {
            progress.append((name, try await checkpoints.checkpoint(of: name), try await checkpoints.parked(by: name)))
        }
        let head = try await feed.head()
        let filling = try await sets?.sets().first { $0.name == ViewCopy.next && $0.isMoving(at: now) }?.projection
        var found: [ConsumerStatus] = []
        for (name, checkpoint, parked) in progress {
            found.append(try await status(of: name, checkpoint, head: head, parked, filling: filling, now: now))
        }
        return (head, found)
    }

    func queueStatus() async throws(EventStoreError) -> [QueueStatus] {
        var found: [QueueStatus] = []
        for (name, queue) in queues.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            found.append(QueueStatus(name: name, depth: try await queue.depth()))
        }
        return found
    }

    /// The countries whose databases are asked.
    var countryNames: [Country] { countries.keys.sorted { $0.code < $1.code } }

    /// Asks a country's database whether it answers.
    ///
    /// - Throws: when it does not.
    func ask(_ country: Country) async throws(EventStoreError) -> Bool {
        _ = try await countries[country]?.schedules(after: nil, limit: 0)
        return true
    }

    private func countryStatus() async -> [CountryStatus] {
        await withTaskGroup(of: CountryStatus.self) { group in
            for country in countries.keys {
                group.addTask { [self] in
                    CountryStatus(country: country, answers: (try? await ask(country)) != nil)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.country.code < $1.country.code }
        }
    }

    var hasMirror: Bool { mirror != nil }

    /// How far the mirror is.
    ///
    /// - Throws: `unavailable` when the feed does not answer.
    func mirrorStatus() async throws(EventStoreError) -> MirrorStatus {
        guard let mirror else { return MirrorStatus(progress: nil, damage: nil) }
        return try await .read(mirror, through: mirrorGate, following: feed, now: now())
    }

    /// What has to be counted.
    func figures() async throws(EventStoreError) -> Figures {
        let stuck = try await sweeps.stuck(
            rounds: Sweeper.rounds, quiet: Quiet(forMilliseconds: patienceMilliseconds, at: now()))
        var ofCountry: [(appointment: AppointmentID, country: Country)] = []
        for appointment in stuck {
            // One that has no row any more is not stuck.
            if let row = try await views.row(appointment) { ofCountry.append((appointment, row.country)) }
        }
        return Figures(
            events: try await audit.counts(), appointments: try await views.counts(), stuck: ofCountry)
    }

    /// Everything that is known.
    ///
    /// - Throws: `unavailable` when the store or a queue does not answer.
    package func read() async throws(EventStoreError) -> StatusReport {
        let (readiness, figures) = (try await readiness(), try await figures())
        let away = Set(readiness.countries.filter { !$0.answers }.map(\.country))
        return StatusReport(
            readiness: readiness, events: figures.events, appointments: figures.appointments,
            stuck: figures.stuck.filter { !away.contains($0.country) }.map(\.appointment))
    }

    private func status(
        of name: ConsumerName, _ checkpoint: Int, head: Int, _ parked: [ParkedEvent], filling: ConsumerName?,
        now: Timestamp
    ) async throws(EventStoreError) -> ConsumerStatus {
        if let lastRound { return try await status(of: name, checkpoint, parked, lastRound, now: now) }
        let lag = max(head - checkpoint, 0)
        var (next, problem) = (Timestamp?.none, String?.none)
        do throws(EventStoreError) {
            if lag > 0 { next = try await feed.events(after: checkpoint, limit: 1).first?.entry.at }
        } catch {
            // An event that can't be read has no time, and is no reason to say nothing.
            problem = error.message
        }
        let moved = try await control?.movedAt(name)
        // What came a moment ago is no lag yet, however long nothing came before it.
        let since = [moved, next].compactMap(\.self).max()
        let hasStood = since.map { now.milliseconds - $0.milliseconds >= stallMilliseconds } ?? true
        let isSeenStalled = isSeenStalled(name, checkpoint: checkpoint, lag: lag, now: now)
        var isStalled = lag > 0 && (moved == nil ? isSeenStalled : hasStood)
        if checkpoint > head {
            isStalled = true
            problem = "the checkpoint is further than the last event: run `ledger repair`"
        }
        var state: ConsumerStatus.State = isStalled ? .stalled : lag == 0 ? .live : .catchingUp
        if filling == name, !isStalled { state = .rebuilding }
        if try await control?.pausedAt(name) != nil { state = .paused }
        return ConsumerStatus(
            name: name, state: state, checkpoint: checkpoint, lag: checkpoint > head ? nil : lag,
            lagSeconds: next.map { Int(max(now.milliseconds - $0.milliseconds, 0) / 1000) } ?? 0, parked: parked.count,
            movedAt: moved, lastError: problem ?? parked.max { $0.at < $1.at }?.reason,
            isStalled: isStalled && state != .paused)
    }

    /// Of a consumer that follows a change stream.
    private func status(
        of name: ConsumerName, _ checkpoint: Int, _ parked: [ParkedEvent], _ lastRound: LastRound, now: Timestamp
    ) async throws(EventStoreError) -> ConsumerStatus {
        let seen = try await lastRound()
        let silence = seen.map { now.milliseconds - $0.milliseconds }
        // Records are kept for a day: whoever has been silent for longer follows it no more.
        let isFollowed = silence.map { $0 < 86_400_000 } ?? false
        let isStalled = isFollowed && silence ?? 0 >= Self.roundMilliseconds
        var state: ConsumerStatus.State = !isFollowed ? .unknown : isStalled ? .stalled : .live
        if try await control?.pausedAt(name) != nil { state = .paused }
        let problem = isStalled ? "no worker has come to the end of the change stream since \(seen ?? now)" : nil
        return ConsumerStatus(
            name: name, state: state, checkpoint: checkpoint, lag: nil, lagSeconds: nil, parked: parked.count,
            movedAt: isFollowed ? seen : nil, lastError: problem ?? parked.max { $0.at < $1.at }?.reason,
            isStalled: state == .stalled)
    }

    private func isSeenStalled(_ name: ConsumerName, checkpoint: Int, lag: Int, now: Timestamp) -> Bool {
        lagging.withLock { lagging in
            if lag == 0 {
                lagging[name] = nil
                return false
            }
            guard let seen = lagging[name], seen.checkpoint == checkpoint else {
                lagging[name] = (checkpoint, now)
                return false
            }
            return now.milliseconds - seen.since.milliseconds >= stallMilliseconds
        }
    }
}

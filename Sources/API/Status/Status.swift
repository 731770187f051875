package import Appointments
package import EventStore
package import Handlers
package import LogService
package import Projections
import Synchronization

/// Reads how the ledger is doing: for `/health/ready`, `/metrics` and the command line.
package final class LedgerStatus: Sendable {
    private let feed: (any EventFeed)?
    private let consumers: any ConsumerReader
    private let views: any AppointmentView
    private let checkpoints: any ConsumerStore
    private let projections: [ConsumerName]
    private let audit: any AuditLog
    private let queues: [QueueName: any MessageQueue]
    private let countries: [Country: any CountryDatabase]
    private let mirror: (any MirrorStore)?
    private let mirrorGate: MirrorGate?
    private let standing: (@Sendable () async throws(EventStoreError) -> LogStanding?)?
    private let sweeps: any SweepLog
    /// Says why nothing can be written; nil when it can.
    let writeProblem: @Sendable () async -> String?
    private let patienceMilliseconds: Int64
    private let now: @Sendable () -> Timestamp

    /// - Parameter feed: what the projections follow; nil where they follow a change stream, which has no positions.
    /// - Parameter control: says who is held, and when each last moved; without it what this process has seen counts.
    /// - Parameter sets: tells whether the view is being rebuilt.
    /// - Parameter projections: the consumers of the feed whose checkpoints are watched.
    /// - Parameter countries: the countries' databases that stand outside of the store, and are asked whether they
    ///   answer. They are to give up soon when they don't.
    /// - Parameter mirror: the mirror that follows the feed, asked how far it has come. It too is to give up soon.
    /// - Parameter mirrorGate: knows whose that mirror has to be.
    /// - Parameter standing: says how the log stands to its last checkpoint; nil where it has none yet.
    /// - Parameter lastRound: says when a worker last came to the end of the change stream, where the projections
    ///   follow one and have no checkpoint that tells how far they are.
    /// - Parameter writeProblem: says why nothing can be written; nil when it can.
    /// - Parameter stallMilliseconds: a projection that lags and does not move for so long is stalled.
    /// - Parameter patienceMilliseconds: how long the sweeper waits after its last round.
    package init(
        feed: (any EventFeed)?, views: any AppointmentView, checkpoints: any ConsumerStore,
        control: (any ConsumerControl)? = nil, sets: (any ViewCopies)? = nil, projections: [ConsumerName],
        audit: any AuditLog, queues: [QueueName: any MessageQueue], countries: [Country: any CountryDatabase] = [:],
        mirror: (any MirrorStore)? = nil, mirrorGate: MirrorGate? = nil,
        standing: (@Sendable () async throws(EventStoreError) -> LogStanding?)? = nil, sweeps: any SweepLog,
        lastRound: LastRound? = nil, writeProblem: @escaping @Sendable () async -> String? = { nil },
        stallMilliseconds: Int64 = 30_000,
        patienceMilliseconds: Int64 = Sweeper.patienceMilliseconds, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.feed, self.views, self.checkpoints, self.projections) = (feed, views, checkpoints, projections)
        self.mirror = mirror
        (self.mirrorGate, self.standing) = (mirrorGate, standing)
        (self.audit, self.queues, self.countries, self.sweeps, self.now) = (audit, queues, countries, sweeps, now)
        self.writeProblem = writeProblem
        self.patienceMilliseconds = patienceMilliseconds
        if let feed, lastRound == nil {
            consumers = FeedReader(feed: feed, control: control, sets: sets, stallMilliseconds: stallMilliseconds)
        } else {
            consumers = ChangeStreamReader(lastRound: lastRound, control: control)
        }
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
        // Where the tree is still being made, all else is told.
        readiness.log = try? await logStanding()
        return readiness
    }

    /// The position of the last event.
    func head() async throws(EventStoreError) -> Int { try await feed?.head() ?? 0 }

    /// The head, and how far the consumers of the feed lag.
    func projectionStatus() async throws(EventStoreError) -> (head: Int, [ConsumerStatus]) {
        let now = now()
        // Checkpoints first: one that moves meanwhile must not look as if it were ahead of the head.
        var progress: [ConsumerProgress] = []
        for name in projections {
            progress.append(
                ConsumerProgress(
                    name: name, checkpoint: try await checkpoints.checkpoint(of: name),
                    parked: try await checkpoints.parked(by: name)))
        }
        let (head, found) = try await consumers.read(progress, now: now)
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
        guard let mirror, let feed else { return MirrorStatus(progress: nil, damage: nil) }
        return try await .read(mirror, through: mirrorGate, following: feed, now: now())
    }

    var isSigned: Bool { standing != nil }

    /// How the log stands to its last checkpoint; nil where it is not signed.
    ///
    /// - Throws: `unavailable` when the store or the place of the checkpoint does not answer.
    func logStanding() async throws(EventStoreError) -> LogStanding? { try await standing?() }

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
}

import API
import AWSEngine
import Appointments
import EventStore
import Handlers
import HostSystem
import LogService
import Logging
import Projections
import SQLiteEngine
import TransparencyLog

/// A ledger, wired: the parts that the verbs work with, whichever engine it stands on.
struct Ledger: Sendable {
    /// Which ledger this is, and which epoch of it.
    let identity: LedgerIdentity
    /// What only one of the engines has.
    let engine: Engine
    /// The events as operators go through them: by stream, by position, or stream after stream.
    let store: any EventStore & EventFeed & StreamScan & AuditLog
    /// What the consumers of events follow by position; nothing where a change stream brings them.
    let feed: (any EventFeed)?
    let views: any AppointmentView & ConsumerStore & ConsumerControl
    /// The rows of the view in the order of their ids.
    let rows: any RowScan & AppointmentView
    let viewSets: any ViewCopies
    /// Tells what the view has.
    let progress: ViewProgress
    let queues: [QueueName: any MessageQueue]
    let deadLetters: any DeadLetters
    let sweepLog: any SweepLog
    let apiKeys: any APIKeys
    let people: PersonResolver
    let performer: Performer
    /// Derives idempotency keys and signs cursors.
    let secrets: KeyRing
    /// The countries whose slots are in PostgreSQL.
    let countryPools: CountryPools
    /// The copy in PostgreSQL, where there is one.
    let mirror: Mirror?
    /// What auditors are answered from: the mirror where there is one, else the store.
    let log: any AuditLog & StreamReader
    /// The events under the positions that auditors are shown.
    let numbered: any EventFeed & AuditLog & StreamReader
    /// Whether a position stands for the same event for ever. On AWS only a mirror sees to that.
    let keepsPositions: Bool
    let trail: any AccessLog
    /// The chains of records that are the ledger's own, to be verified with it.
    let records: [any ChainedRecords]

    /// Where a ledger stands, with what only this kind has.
    enum Engine: Sendable {
        case embedded(EmbeddedFiles)
        /// The keys are those of persons that this process has unwrapped.
        case aws(AWSLedger, PersonKeys)
    }

    /// Those who follow the events, by the names that a user types.
    static let consumers = [ProjectionRunner.projection, RouterPump.projection]

    var isEmbedded: Bool { if case .embedded = engine { true } else { false } }

    /// The tree over the events; nil on AWS, where the mirror's is the log.
    var tree: (any StoredTree)? {
        switch engine {
        case .embedded(let files): SQLiteEventStore(files.file)
        case .aws: nil
        }
    }

    /// The mirror that the environment names.
    ///
    /// - Throws: a refusal when it names none.
    func requireMirror() throws -> Mirror {
        guard let mirror else {
            throw Refusal("no mirror is configured: set RDS_URL_LEDGER, or RDS_HOST_LEDGER and its companions")
        }
        return mirror
    }

    /// Looks whether the mirror may answer auditors, where there is one, and says when it may not.
    ///
    /// - Throws: as `Mirror.checkForReading`.
    func checkMirrorForReading(_ shell: Shell) async throws(EventStoreError) {
        try await mirror?.checkForReading(store) { shell.tell("\($0); the answer is the ledger's own") }
    }

    /// Why nothing comes after a position that the log has not reached; nil where it has.
    func beyond(_ position: Int) async throws(EventStoreError) -> String? {
        let head = try await numbered.head()
        if position <= head { return nil }
        return """
            position \(position) is beyond the last event, at \(head): the ledger was put back to an older copy, or \
            the position is none of its own. Go on from \(head) at most
            """
    }

    /// The events in the order of the mirror: the store's own, or on AWS the one that the mirror has given them.
    func order(of mirror: Mirror) async throws(EventStoreError) -> any EventFeed {
        switch engine {
        case .embedded: store
        case .aws(let aws, _): try await aws.order(of: mirror.worker)
        }
    }

    /// Brings a mirror up to the ledger.
    ///
    /// - Parameter feed: the ledger's events in the mirror's order; nil where a change stream brings them.
    func runner(into mirror: Mirror, following feed: (any EventFeed)?) -> MirrorRunner {
        MirrorRunner(feed: feed, store: store, mirror: mirror.worker, people: people, identity: mirror.identity)
    }

    /// Adds slots of all countries: all of one database or none of it.
    ///
    /// - Throws: `invalid`, with `SlotRefusals` as its cause, for slots that can't be added.
    func addSlots(
        _ slots: [CountrySlot], _ admission: SlotAdmission = SlotAdmission()
    ) async throws(EventStoreError) {
        if !isEmbedded, let slot = slots.first(where: { !countryPools.contains($0.country) }) {
            let code = slot.country.code
            throw EventStoreError(
                .invalid,
                message: "no database is configured for country \(code): set RDS_HOST_\(code), or RDS_URL_\(code)")
        }
        try await countryPools.add(slots.filter { countryPools.contains($0.country) }, admission)
        if case .embedded(let files) = engine {
            try await files.addSlots(slots.filter { !countryPools.contains($0.country) }, admission)
        }
    }

    /// Has a consumer that was held take in what it has missed; gives how many events or appointments that was.
    func catchUp(_ name: ConsumerName, _ logger: Logger) async throws(EventStoreError) -> Int {
        let step: () async throws(EventStoreError) -> Int
        switch engine {
        case .embedded:
            // The router goes on from its checkpoint in the server.
            guard name == ProjectionRunner.projection else { return 0 }
            let runner = ProjectionRunner(feed: feed, store: store, views: views, people: people)
            step = { () throws(EventStoreError) in try await runner.step(now: System.now()) }
        case .aws(let aws, let keys):
            let handler = aws.streamHandler(performer, keys, logger: logger)
            step = { () throws(EventStoreError) in try await handler.takeUp(limit: 100, now: System.now()) }
        }
        var count = 0
        while true {
            let taken = try await step()
            if taken == 0 { return count }
            count += taken
        }
    }

    /// How the ledger is doing. On AWS the mirror follows the change stream: how far it lags, a comparison tells.
    ///
    /// - Parameter patienceMilliseconds: how long the sweeper waits after its last round.
    func status(patienceMilliseconds: Int64 = Sweeper.patienceMilliseconds) -> LedgerStatus {
        var lastRound: LastRound?
        var writeProblem: @Sendable () async -> String? = { nil }
        var standing: (@Sendable () async throws(EventStoreError) -> LogStanding?)?
        switch engine {
        case .embedded(let files):
            writeProblem = { await files.file.writeProblem() }
            standing = { () throws(EventStoreError) in try await files.log.standing() }
        case .aws(let aws, _): lastRound = aws.lastRound
        }
        let probed = isEmbedded ? mirror : nil
        return LedgerStatus(
            feed: feed, views: views, checkpoints: views, control: views, sets: isEmbedded ? viewSets : nil,
            projections: Self.consumers, audit: store, queues: queues, countries: countryPools.probes,
            mirror: probed?.probe, mirrorGate: probed.map { $0.gate($0.probe, store) },
            standing: standing, sweeps: sweepLog, lastRound: lastRound, writeProblem: writeProblem,
            patienceMilliseconds: patienceMilliseconds,
            now: System.now)
    }

    /// Answers requests to the API.
    ///
    /// - Parameter callers: counts who waits for a request to be recorded.
    /// - Parameter watch: keeps how the ledger is doing.
    /// - Parameter signedLog: the log that anybody with a key may check.
    /// - Parameter proxies: whose word is believed for who calls.
    /// - Parameter origins: whose pages may read the answers.
    func table(
        _ callers: Callers, _ watch: StatusWatch, signedLog: ServedLog?, proxies: TrustedProxies,
        origins: AllowedOrigins, _ logger: Logger
    ) -> API {
        API(
            performer: performer, callers: callers, views: views, log: store, people: people, progress: progress,
            audit: log, histories: log, trail: trail, authenticator: Authenticator(keys: apiKeys), status: watch,
            signedLog: signedLog, secrets: secrets, proxies: proxies, origins: origins, elapsed: System.elapsed,
            random: System.random,
            droppedLogLines: { Logs.droppedLines }, logger: logger)
    }
}

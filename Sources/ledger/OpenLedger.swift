import API
import AWSEngine
import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import Projections
import Replay
import SQLiteEngine

/// The ledger that a verb works on, whichever engine it stands on.
struct OpenLedger: Sendable {
    /// The events as operators go through them: by stream, by position, or stream after stream.
    let store: any EventStore & EventFeed & StreamScan & AuditLog
    /// What the consumers of events follow by position; nothing where a change stream brings them.
    let feed: (any EventFeed)?
    let views: any AppointmentView & ConsumerStore & ConsumerControl
    /// The rows of the view in the order of their ids.
    let rows: any RowScan & AppointmentView
    let viewSets: any ViewCopies
    let deadLetters: any DeadLetters
    let apiKeys: any APIKeys
    let people: PersonResolver
    /// Tells what the view has.
    let progress: ViewProgress
    let performer: Performer
    /// Derives idempotency keys, as the API does.
    let secrets: KeyRing
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
    /// How the ledger is doing.
    let status: LedgerStatus
    /// The events in the order of a mirror: the store's own, or on AWS the one that the mirror has given them.
    let order: @Sendable (Mirror) async throws(EventStoreError) -> any EventFeed
    /// Has a consumer that was held take in what it has missed; gives how many events or appointments that was.
    let catchUp: @Sendable (ConsumerName) async throws(EventStoreError) -> Int
    /// Adds slots of all countries: all of one database or none of it.
    let addSlots: @Sendable ([CountrySlot], SlotAdmission) async throws(EventStoreError) -> Void
    /// Which ledger this is, and which epoch of it.
    let identity: LedgerIdentity
    /// The file that it is in, where it is embedded.
    let embedded: Embedded?

    /// - Parameter patienceMilliseconds: how long the sweeper waits after its last round.
    init(_ ledger: Embedded, patienceMilliseconds: Int64 = Sweeper.patienceMilliseconds) {
        (store, feed, views, rows) = (ledger.store, ledger.store, ledger.views, ledger.views)
        viewSets = ledger.viewSets
        (deadLetters, apiKeys, people, performer) = (
            ledger.messaging, ledger.apiKeys, ledger.people, ledger.performer
        )
        (secrets, countryPools, mirror) = (ledger.keyRing, ledger.countryPools, ledger.mirror)
        (log, trail, status) = (ledger.log, ledger.trail, ledger.status(patienceMilliseconds: patienceMilliseconds))
        progress = ViewProgress(feed: ledger.store, checkpoints: ledger.views)
        (numbered, keepsPositions, records) = (ledger.store, true, [SQLiteAccessLog(ledger.file)])
        order = { _ throws(EventStoreError) in ledger.store }
        // The router goes on from its checkpoint in the server.
        catchUp = { name throws(EventStoreError) in
            name == ProjectionRunner.projection ? try await ledger.catchUpView() : 0
        }
        addSlots = { slots, admission throws(EventStoreError) in try await ledger.addSlots(slots, admission) }
        (identity, embedded) = (ledger.identity, ledger)
    }

    init(_ remote: Remote) {
        let (ledger, mirror) = (remote.ledger, remote.mirror)
        let (log, trail) = (ledger.log(), ledger.trail(random: System.number))
        (store, feed, views, rows) = (log, nil, ledger.views, ledger.orderedViews())
        viewSets = ledger.viewSets(remote.persons)
        (deadLetters, apiKeys, people, performer) = (
            ledger.deadLetters, ledger.apiKeys, remote.people, remote.performer
        )
        (secrets, countryPools, self.mirror) = (remote.secrets, remote.countryPools, mirror)
        // The mirror has positions of its own: what is beyond it is not asked of the store.
        let numbered = mirror.map {
            MirrorNumberedLog(mirror: $0.reader, store: ledger.store, identity: $0.identity, compares: true)
        }
        self.log = numbered ?? log
        (self.numbered, keepsPositions, records) = (numbered ?? log, numbered != nil, [trail])
        self.trail =
            mirror.map { mirror -> any AccessLog in
                let gate = mirror.gate(mirror.reader, ledger.store)
                return AccessLogs(mirror.trail, otherwise: trail) { () throws(EventStoreError) in
                    try await gate.isOurs()
                }
            } ?? trail
        progress = ViewProgress(behindChangeStream: ledger.views)
        status = remote.status(log)
        order = { mirror throws(EventStoreError) in try await ledger.order(of: mirror.worker) }
        catchUp = { _ throws(EventStoreError) in
            let handler = ledger.streamHandler(remote.performer, remote.persons, logger: Logger(label: "ledger"))
            var count = 0
            while true {
                let step = try await handler.takeUp(limit: 100, now: System.now())
                if step == 0 { return count }
                count += step
            }
        }
        let countryPools = remote.countryPools
        addSlots = { slots, admission throws(EventStoreError) in
            for country in Set(slots.map(\.country)) where !countryPools.contains(country) {
                throw EventStoreError(
                    .invalid,
                    message: "no database is configured for country \(country.code): set RDS_HOST_\(country.code), or "
                        + "RDS_URL_\(country.code)")
            }
            try await countryPools.add(slots, admission)
        }
        (identity, embedded) = (remote.identity, nil)
    }

    /// The mirror that the environment names.
    ///
    /// - Throws: a refusal when it names none.
    func requireMirror() throws -> Mirror {
        guard let mirror else { throw Refusal.noMirror }
        return mirror
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

    /// Answers requests to the API.
    ///
    /// - Parameter callers: counts who waits for a request to be recorded.
    /// - Parameter watch: keeps how the ledger is doing.
    /// - Parameter proxies: whose word is believed for who calls.
    func table(
        _ callers: Callers, _ watch: StatusWatch, proxies: TrustedProxies, _ logger: Logger
    ) -> API {
        API(
            performer: performer, callers: callers, views: views, log: store, people: people, progress: progress,
            audit: log, histories: log, trail: trail, authenticator: Authenticator(keys: apiKeys), status: watch,
            secrets: secrets, proxies: proxies, origins: AllowedOrigins(System.environment["CORS_ORIGINS"]),
            elapsed: System.elapsed, random: System.random, droppedLogLines: { Logs.droppedLines }, logger: logger)
    }

    /// Brings a mirror up to the ledger.
    ///
    /// - Parameter feed: the ledger's events in the mirror's order.
    func runner(into mirror: Mirror, following feed: any EventFeed) -> MirrorRunner {
        MirrorRunner(
            feed: feed, store: store, mirror: mirror.worker, people: people, identity: mirror.identity)
    }
}

extension Refusal {
    static let noPositions = Refusal(
        """
        --resume goes on at a position, and without a mirror the positions on AWS are counted anew by each run: set \
        RDS_URL_LEDGER, or leave out --resume
        """)
    static let noMirror = Refusal(
        "no mirror is configured: set RDS_URL_LEDGER, or RDS_HOST_LEDGER and its companions")
}

import API
import AWSEngine
import Appointments
import EventStore
import HTTPClient
import Handlers
import HostSystem
import LambdaRuntime
import Logging
import PostgresEngine
import Projections

/// One of the ledger's functions, wired for AWS.
struct LedgerFunction: Sendable {
    /// The functions by the names that `_HANDLER` has.
    enum Name: RawRepresentable, CaseIterable, Equatable {
        /// The API, the completion and error queues, the change stream (router and view), and the sweeper.
        case appointment
        /// The queue of a country.
        case country(Country)
        /// The change stream into PostgreSQL.
        case mirror

        static var allCases: [Name] { [.appointment] + Country.allCases.map(Self.country) + [.mirror] }

        init?(rawValue: String) {
            guard let name = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
            self = name
        }

        var rawValue: String {
            switch self {
            case .appointment: "appointment"
            case .country(let country): "appointment-" + country.code.lowercased()
            case .mirror: "appointment-mirror"
            }
        }
    }

    /// How many records of the change stream are routed together.
    private static let routedTogether = 25

    private let name: Name
    private let ledger: AWSLedger
    private let origins: AllowedOrigins
    private let metrics: EmbeddedMetric
    private let logger: Logger
    /// What needs the master key, and so a call to KMS: it is opened with the first invocation.
    private let opened: Opening<Opened>

    /// What the functions work with once the master key is there.
    struct Opened: Sendable {
        let identity: LedgerIdentity
        let seen: SeenNote
        let performer: Performer
        /// Takes in the change stream: the mirror's where this is its function, else the router's and the view's.
        let consumer: ChangeConsumer
        let table: API
    }

    /// Wires the function that the environment names. Nothing is called yet.
    ///
    /// - Throws: `invalid` when a variable is missing or wrong, with what to do.
    init(_ environment: [String: String], pool: ConnectionPool, logger: Logger) throws(EventStoreError) {
        let handler = environment["_HANDLER"] ?? ""
        guard let name = Name(rawValue: handler) else {
            let names = Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw EventStoreError(
                .invalid, message: "_HANDLER is '\(handler)' and no function: set it to one of \(names)")
        }
        (self.name, self.logger) = (name, logger)
        let clock = AWSClock(
            now: System.now, uptime: Alarm.real.uptime, sleep: System.sleep, random: System.number)
        let ledger = try AWSLedger(environment: environment, pool: pool, clock: clock)
        self.ledger = ledger
        origins = AllowedOrigins(environment["CORS_ORIGINS"])
        metrics = EmbeddedMetric(stage: environment["STAGE"] ?? "none", now: System.now)
        let settings = try Self.settings(name, environment, ledger.parameters)
        // An environment handles one batch at a time; its messages share these sessions.
        let database = settings.map { PostgresPool($0, size: 2, random: System.number) }
        // Answers auditors. They have sessions of their own, so that neither they nor the mirror wait for each other.
        let audits = name == .mirror ? settings.map { PostgresPool($0.auditing, size: 2, random: System.number) } : nil
        let (origins, metrics) = (origins, metrics)
        opened = Opening(elapsed: System.elapsed) { opened throws(EventStoreError) in
            try await ledger.recognize(logger) == opened.identity
        } _: { () throws(EventStoreError) in
            try await Self.open(ledger, name, database, audits, origins, metrics, logger)
        }
    }

    private static func settings(
        _ name: Name, _ environment: [String: String], _ parameters: ParameterStore
    ) throws(EventStoreError) -> PostgresSettings? {
        let wanted: PostgresDatabase
        switch name {
        case .appointment: return nil
        case .country(let country): wanted = .country(country)
        case .mirror: wanted = .ledger
        }
        let settings = try PostgresSettings(wanted, environment: environment) { name throws(EventStoreError) in
            try await parameters.value(of: name)
        }
        guard let settings else {
            throw EventStoreError(
                .invalid, message: "\(name.rawValue) has no database: set RDS_HOST and its companions, or RDS_URL")
        }
        return settings
    }

    private static func open(
        _ ledger: AWSLedger, _ name: Name, _ database: PostgresPool?, _ audits: PostgresPool?,
        _ origins: AllowedOrigins, _ metrics: EmbeddedMetric, _ logger: Logger
    ) async throws(EventStoreError) -> Opened {
        let keyRing = try await ledger.keyRing()
        let identity = try await ledger.recognize(logger)
        let store = ledger.store
        var countries: [Country: any CountryDatabase] = [:]
        if let database, let country = name.country {
            countries[country] = PostgresCountryDatabase(
                database, country, owner: CountryOwner(identity, store: store))
        }
        let persons = PersonKeys(keyRing)
        let performer = ledger.performer(persons, countries: countries, random: System.random)
        var (audit, trail): (any AuditLog, any AccessLog) = (
            ledger.log(), ledger.trail(random: System.number)
        )
        if let audits {
            let mirror = PostgresMirror(audits)
            let guarded = GuardedMirror(
                mirror, PostgresAccessLog(audits), MirrorGate(mirror, of: identity, store: store))
            (audit, trail) = (guarded, guarded)
        }
        let people = ledger.people(persons)
        let seen = SeenNote(ledger, of: identity)
        let consumer: ChangeConsumer
        if name == .mirror, let database {
            let mirror = PostgresMirror(database)
            let runner = MirrorRunner(
                feed: nil, store: store, mirror: mirror, people: people, identity: identity)
            let alarm = MirrorAlarm(logger: logger) { metrics.put(.conflicts, Int64($0)) }
            consumer = ChangeConsumer.mirror(runner, mirror, alarm: alarm, now: System.now).telling { events in
                guard let last = events.last else { return }
                metrics.put(.mirrorLag, max(System.now().milliseconds - last.entry.at.milliseconds, 0))
            }
        } else {
            let alarm = TamperAlarm(signs: ledger.views, logger: logger) { metrics.put(.tampered, Int64($0)) }
            consumer = .routerAndViews(
                ledger.streamHandler(performer, persons, logger: logger), views: ledger.views, alarm: alarm, seen: seen,
                now: System.now)
        }
        return Opened(
            identity: identity, seen: seen, performer: performer, consumer: consumer,
            table: ledger.api(
                performer, secrets: try await ledger.secrets(keyRing), people: people, audit: audit,
                trail: trail, origins: origins, elapsed: System.elapsed, random: System.random, logger: logger))
    }
}

extension LedgerFunction.Name {
    /// The country whose slots the function books.
    var country: Country? {
        switch self {
        case .country(let country): country
        case .appointment, .mirror: nil
        }
    }
}

// MARK: - Answering

extension LedgerFunction {
    /// Answers an event.
    ///
    /// - Throws: what keeps all of it from being handled; Lambda sends it again.
    func answer(_ event: LambdaEvent) async throws(EventStoreError) -> [UInt8] {
        switch (event, name) {
        case (.nothing, _):
            // A deployment's question: the parts that need others are opened, so that a wrong setting shows here.
            _ = try await opened.value()
            return BatchAnswer.bytes(failed: [])
        case (.request(let request), .appointment), (.request(let request), .mirror):
            return await respond(to: request).gatewayBytes
        case (.messages(let messages), .appointment), (.messages(let messages), .country):
            return BatchAnswer.bytes(failed: try await handle(messages))
        case (.records(let records), .appointment), (.records(let records), .mirror):
            return BatchAnswer.bytes(failed: try await follow(records))
        case (.schedule, .appointment):
            try await sweep()
            return Array("{}".utf8)
        case (.request, _), (.messages, _), (.records, _), (.schedule, _):
            throw EventStoreError(
                .invalid, message: "\(name.rawValue) does not take such events: look at its triggers")
        }
    }

    /// Answers a request to the API, also when the master key can't be had: that is a store that does not answer.
    private func respond(to request: APIRequest) async -> APIResponse {
        do throws(EventStoreError) {
            return try await opened.value().table.respond(to: request)
        } catch {
            logger.error("the ledger can't be opened", metadata: ["error": "\(error)"])
            return Problem.unavailable("The store does not answer: nothing was recorded, try again")
                .response(requestID: request.requestID, now: System.now())
        }
    }

    /// Handles messages of one or more queues.
    ///
    /// - Returns: the ids of those that are to come again.
    private func handle(_ messages: [LambdaEvent.QueuedMessage]) async throws(EventStoreError) -> [String] {
        let performer = try await opened.value().performer
        var failed: [String] = []
        for (queueName, batch) in Dictionary(grouping: messages, by: \.queue).sorted(by: { $0.key < $1.key }) {
            guard let name = ledger.names.queue(called: queueName), let queue = ledger.queues[name] else {
                logger.error(
                    "a message comes from a queue that is not the ledger's", metadata: ["queue": "\(queueName)"])
                failed += batch.map(\.message.id)
                continue
            }
            let pump = QueuePump(name, queue: queue, performer: performer, logger: logger)
            queue.hold(batch.map(\.message))
            failed += await pump.settleOnce(batch.map(\.message))
        }
        return failed
    }

    /// Takes in records of the change stream.
    ///
    /// - Returns: the sequence number from which on they are to come again; none when all were taken in.
    private func follow(_ records: [LambdaEvent.ChangeRecord]) async throws(EventStoreError) -> [String] {
        let consumer = try await opened.value().consumer
        let part = name == .mirror ? records.count : Self.routedTogether
        let failed = await consumer.take(in: records.map(\.content), part: part, logger: logger)
        return failed.map { [records[$0].sequenceNumber] } ?? []
    }

    /// Sends round again what stands still.
    private func sweep() async throws(EventStoreError) {
        let opened = try await opened.value()
        // What came last before the stream came to rest.
        try await opened.seen.flush()
        // This function reaches no country's database.
        let sweeper = Sweeper(
            views: ledger.views, log: ledger.sweepLog, performer: opened.performer, asking: [:],
            patienceMilliseconds: Sweeper.patienceMilliseconds, logger: logger)
        let count = try await sweeper.sweep()
        let stuck = try await ledger.sweepLog.stuck(
            rounds: Sweeper.rounds, quiet: Quiet(forMilliseconds: Sweeper.patienceMilliseconds, at: System.now()))
        metrics.put(.stuck, Int64(stuck.count))
        if count > 0 { logger.notice("appointments were sent round again", metadata: ["count": "\(count)"]) }
    }
}

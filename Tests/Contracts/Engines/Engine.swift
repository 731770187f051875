package import AWSEngine
package import Appointments
package import EventStore
package import Handlers
import MemoryEngine
import PostgresEngine
package import Projections
package import Replay
import SQLiteEngine
import Synchronization
import TestAWS
import TestPostgres
import Testing

/// The engines that every contract runs against.
package enum Engine: CustomTestStringConvertible {
    case memory
    case sqlite
    /// The countries' databases alone; the rest is in memory.
    case postgres
    /// All of AWS but the countries' databases, which are in memory.
    case aws

    /// Those that hold a whole ledger.
    package static let available: [Engine] = [.memory, .sqlite]
    /// Those that hold a country's database. The contract says what it skips where there is no cluster.
    package static let ofCountries = available + (TestCluster.isThere ? [.postgres] : [])

    /// Those with a store of events, views, queues and topics.
    package static let ofStores = available + (Emulator.isThere ? [.aws] : [])

    /// Whether a stored event has its position at once: DynamoDB has no order across streams.
    package var givesPositions: Bool { self != .aws }

    /// Whether the view is written together with the events.
    package var writesViewsWithEvents: Bool { self == .sqlite }

    /// Whether everything goes by the clock that is turned by hand.
    package var goesByHandClock: Bool { self != .aws }

    package var testDescription: String { "\(self)" }

    /// A new, empty ledger on this engine.
    package func make() async throws -> TestEngine {
        let clock = HandClock()
        switch self {
        case .memory: return try .memory(clock: clock)
        case .sqlite: return try .sqlite(clock: clock)
        case .postgres: return try await .postgres(clock: clock)
        case .aws: return try await .aws(clock: clock)
        }
    }
}

/// All protocols of one engine over one empty ledger, and the clock that it goes by.
package struct TestEngine: Sendable {
    package fileprivate(set) var store: any EventStore
    package fileprivate(set) var feed: any EventFeed
    package fileprivate(set) var audit: any AuditLog & StreamReader
    package fileprivate(set) var scan: any StreamScan
    package fileprivate(set) var directory: any SubjectDirectory
    package let keyRing: KeyRing
    package fileprivate(set) var sets: any ViewCopies
    package fileprivate(set) var views: any AppointmentView
    /// The rows of the view in the order of their ids, as one run reads them.
    package fileprivate(set) var rows: @Sendable () -> any RowReader & RowScan
    package fileprivate(set) var projections: any ConsumerStore
    package fileprivate(set) var control: any ConsumerControl
    package fileprivate(set) var queues: @Sendable (QueueName) -> any MessageQueue
    package fileprivate(set) var deadLetters: any DeadLetters
    package fileprivate(set) var topics: any Topics
    package fileprivate(set) var bus: any EventBus
    package fileprivate(set) var countries: [Country: any CountryDatabase]
    package fileprivate(set) var sweepLog: any SweepLog
    package fileprivate(set) var keys: any APIKeys
    package let clock: HandClock
    /// How many events are stored.
    package fileprivate(set) var eventCount: @Sendable () async throws -> Int

    package var people: PersonResolver { PersonResolver(directory: directory, keys: keyRing) }

    /// Whether consumers follow a change stream, as behind DynamoDB, and not the feed.
    package var followsStream: Bool { feed is DynamoDBScan }

    /// What past lists are made of; DynamoDB's view has no checkpoint.
    package var past: PastEvents {
        let progress =
            followsStream
            ? ViewProgress(behindChangeStream: control) : ViewProgress(feed: feed, checkpoints: projections)
        return PastEvents(log: audit, people: people, progress: progress)
    }

    package func country(_ country: Country) throws -> any CountryDatabase { try #require(countries[country]) }
}

extension TestEngine {
    package static func memory(clock: HandClock) throws -> TestEngine {
        let store = MemoryEventStore()
        let views = MemoryAppointmentView()
        let messaging = MemoryMessaging(now: clock.now)
        let owners = ScheduleOwners()
        let directory = MemorySubjectDirectory()
        let keyRing = try KeyRing(master: Array(repeating: 7, count: 32))
        return TestEngine(
            store: store, feed: store, audit: store, scan: store, directory: directory, keyRing: keyRing,
            sets: MemoryViewCopies(views, store: store, directory: directory, keys: keyRing), views: views,
            rows: { views }, projections: views, control: views, queues: messaging.queue, deadLetters: messaging,
            topics: messaging, bus: messaging,
            countries: [
                .peru: MemoryCountryDatabase(.peru, owners: owners),
                .chile: MemoryCountryDatabase(.chile, owners: owners),
            ], sweepLog: MemorySweepLog(views: views), keys: MemoryAPIKeys(), clock: clock,
            eventCount: { store.headNow })
    }
}

extension TestEngine {
    package static func sqlite(clock: HandClock) throws -> TestEngine {
        let file = try SQLiteFile(path: try ScratchFile().path)
        let store = SQLiteEventStore(file)
        let views = SQLiteAppointmentView(file)
        let messaging = SQLiteMessaging(file, now: clock.now)
        let keyRing = try KeyRing(master: Array(repeating: 7, count: 32))
        return TestEngine(
            store: store, feed: store, audit: store, scan: store, directory: SQLiteSubjectDirectory(file),
            keyRing: keyRing, sets: SQLiteViewCopies(file, keys: keyRing), views: views,
            rows: { views }, projections: views, control: views, queues: { messaging.queue($0) },
            deadLetters: messaging,
            topics: messaging, bus: messaging,
            countries: [
                .peru: SQLiteCountryDatabase(file, .peru), .chile: SQLiteCountryDatabase(file, .chile),
            ], sweepLog: SQLiteSweepLog(file), keys: SQLiteAPIKeys(file), clock: clock,
            eventCount: { try await store.head() })
    }
}

extension TestEngine {
    package static func postgres(clock: HandClock) async throws -> TestEngine {
        var engine = try memory(clock: clock)
        let database = try await TestCluster.database(.country(.peru))
        let pool = try database.pool
        engine.countries = [
            .peru: PostgresCountryDatabase(pool, .peru), .chile: PostgresCountryDatabase(pool, .chile),
        ]
        return engine
    }
}

extension TestEngine {
    /// A ledger in an account of its own at the emulator.
    package static func aws(clock: HandClock) async throws -> TestEngine {
        try await aws(clock: clock, try Emulator.client(clock: .quick(uptime: clock.uptime)))
    }

    package static func aws(clock: HandClock, _ client: AWSClient) async throws -> TestEngine {
        let tables = DynamoDBTables()
        try await Emulator.makeTables(client, tables)
        try await Emulator.makeMessaging(client)
        let store = DynamoDBEventStore(client, tables: tables)
        let views = DynamoDBAppointmentView(client, tables: tables)
        let queues = Dictionary(
            uniqueKeysWithValues: QueueName.allCases.map { name in
                (name, TurnedQueue(client, name, clock: clock))
            })
        var engine = try memory(clock: clock)
        engine.store = store
        engine.eventCount = { try await store.count() }
        engine.directory = DynamoDBSubjectDirectory(client, tables: tables)
        (engine.views, engine.projections, engine.control) = (views, views, views)
        engine.rows = { DynamoDBOrderedViews(client, tables: tables) }
        // Each run, and each question, looks at the table anew.
        let log = DynamoDBScan(client, tables: tables, maximumAgeMilliseconds: 0)
        (engine.feed, engine.audit, engine.scan) = (log, log, log)
        engine.sets = DynamoDBViewCopies(client, tables: tables, people: engine.people, now: clock.now)
        engine.queues = { name in
            guard let queue = queues[name] else { preconditionFailure("every queue was made") }
            return queue
        }
        engine.deadLetters = SQSDeadLetters(client, names: AWSNames(), now: clock.now)
        engine.topics = SNSTopics(client)
        engine.bus = EventBridgeBus(client, name: Emulator.bus)
        engine.sweepLog = DynamoDBSweepLog(client, tables: tables)
        engine.keys = DynamoDBAPIKeys(client, tables: tables)
        return engine
    }
}

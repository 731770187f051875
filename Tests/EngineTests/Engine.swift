import AWSEngine
import Appointments
import EventStore
import Handlers
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import SQLiteEngine
import Synchronization
import TestAWS
import TestPostgres
import Testing

/// The engines that every contract runs against.
enum Engine: CustomTestStringConvertible {
    case memory
    case sqlite
    /// The countries' databases alone; the rest is in memory.
    case postgres
    /// All of AWS but the countries' databases, which are in memory.
    case aws

    /// Those that hold a whole ledger.
    static let available: [Engine] = [.memory, .sqlite]
    /// Those that hold a country's database. The contract says what it skips where there is no cluster.
    static let ofCountries = available + (TestCluster.isThere ? [.postgres] : [])

    /// Those with a store of events, views, queues and topics.
    static let ofStores = available + (Emulator.isThere ? [.aws] : [])

    /// Whether a stored event has its position at once: DynamoDB has no order across streams.
    var givesPositions: Bool { self != .aws }

    /// Whether the view is written together with the events.
    var writesViewsWithEvents: Bool { self == .sqlite }

    /// Whether everything goes by the clock that is turned by hand.
    var goesByHandClock: Bool { self != .aws }

    var testDescription: String { "\(self)" }

    /// A new, empty ledger on this engine.
    func make() async throws -> TestEngine {
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
struct TestEngine: Sendable {
    fileprivate(set) var store: any EventStore
    fileprivate(set) var feed: any EventFeed
    fileprivate(set) var audit: any AuditLog & StreamReader
    fileprivate(set) var scan: any StreamScan
    fileprivate(set) var directory: any SubjectDirectory
    let keyRing: KeyRing
    fileprivate(set) var sets: any ViewCopies
    fileprivate(set) var views: any AppointmentView
    /// The rows of the view in the order of their ids, as one run reads them.
    fileprivate(set) var rows: @Sendable () -> any RowReader & RowScan
    fileprivate(set) var projections: any ConsumerStore
    fileprivate(set) var control: any ConsumerControl
    fileprivate(set) var queues: @Sendable (QueueName) -> any MessageQueue
    fileprivate(set) var deadLetters: any DeadLetters
    fileprivate(set) var topics: any Topics
    fileprivate(set) var bus: any EventBus
    fileprivate(set) var countries: [Country: any CountryDatabase]
    fileprivate(set) var sweepLog: any SweepLog
    fileprivate(set) var keys: any APIKeys
    let clock: HandClock
    /// How many events are stored.
    fileprivate(set) var eventCount: @Sendable () async throws -> Int

    var people: PersonResolver { PersonResolver(directory: directory, keys: keyRing) }

    /// Whether consumers follow a change stream, as behind DynamoDB, and not the feed.
    var followsStream: Bool { feed is DynamoDBScan }

    /// What past lists are made of; DynamoDB's view has no checkpoint.
    var past: PastEvents {
        let progress =
            followsStream
            ? ViewProgress(behindChangeStream: control) : ViewProgress(feed: feed, checkpoints: projections)
        return PastEvents(log: audit, people: people, progress: progress)
    }

    func country(_ country: Country) throws -> any CountryDatabase { try #require(countries[country]) }
}

extension TestEngine {
    static func memory(clock: HandClock) throws -> TestEngine {
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
    static func sqlite(clock: HandClock) throws -> TestEngine {
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
    static func postgres(clock: HandClock) async throws -> TestEngine {
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
    static func aws(clock: HandClock) async throws -> TestEngine {
        try await aws(clock: clock, try Emulator.client(clock: .quick(uptime: clock.uptime)))
    }

    static func aws(clock: HandClock, _ client: AWSClient) async throws -> TestEngine {
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

@Suite struct EngineTests {
    @Test("AWS takes part in the contracts", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
    func aws() { #expect(Engine.ofStores.contains(.aws)) }
}

/// A clock that is turned by hand. It begins on Monday 2 March 2026 at 10:00 in Lima.
final class HandClock: Sendable {
    private let moment = Mutex((wall: Timestamp(milliseconds: 1_772_463_600_000), uptime: Int64(0)))

    @Sendable func now() -> Timestamp { moment.withLock { $0.wall } }
    @Sendable func uptime() -> Int64 { moment.withLock { $0.uptime } }

    func advance(milliseconds: Int64) {
        moment.withLock { $0 = ($0.wall.adding(milliseconds: milliseconds), $0.uptime + milliseconds) }
    }

    /// Sets the wall clock on or back; no time passes.
    func step(milliseconds: Int64) { moment.withLock { $0.wall = $0.wall.adding(milliseconds: milliseconds) } }
}

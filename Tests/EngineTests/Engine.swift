import AWSEngine
import Appointments
import EventStore
import Handlers
import Projections
import SQLiteEngine
import Synchronization
import TestAWS
import Testing

/// The engines that every contract runs against.
enum Engine: CaseIterable, CustomTestStringConvertible {
    case memory
    case sqlite
    case aws

    /// Those that this machine can run.
    static var available: [Engine] { Emulator.isThere ? allCases : embedded }

    /// Those that are a whole ledger in one process: AWS gives no order across streams, keeps its own time, and the
    /// countries' databases are elsewhere.
    static let embedded: [Engine] = [.memory, .sqlite]

    /// Whether a stored event has its position at once.
    var givesPositions: Bool { self != .aws }

    /// Whether everything goes by the clock that is turned by hand.
    var goesByHandClock: Bool { self != .aws }

    var testDescription: String { "\(self)" }

    /// A new, empty ledger on this engine.
    func make() async throws -> TestEngine {
        let clock = HandClock()
        switch self {
        case .memory: return .memory(clock: clock)
        case .sqlite: return try .sqlite(clock: clock)
        case .aws: return try await .aws(clock: clock)
        }
    }
}

/// All protocols of one engine over one empty ledger, and the clock that it goes by.
struct TestEngine: Sendable {
    let store: any EventStore
    let directory: any SubjectDirectory
    let views: any AppointmentViews
    let projections: any ProjectionStore
    let queues: @Sendable (QueueName) -> any MessageQueue
    let deadLetters: any DeadLetters
    let topics: any Topics
    let bus: any EventBus
    let clock: HandClock
    /// How many events are stored.
    let eventCount: @Sendable () async throws -> Int
    /// What only the engines have that are a whole ledger.
    fileprivate var embedded: EmbeddedParts?
}

private struct EmbeddedParts: Sendable {
    let feed: any EventFeed & AuditLog
    let countries: [Country: any CountryDatabase]
    let sweepLog: any SweepLog
    let keys: any APIKeys
}

extension TestEngine {
    private var parts: EmbeddedParts { get throws { try #require(embedded) } }

    var feed: any EventFeed { get throws { try parts.feed } }
    var audit: any AuditLog { get throws { try parts.feed } }
    var sweepLog: any SweepLog { get throws { try parts.sweepLog } }
    var keys: any APIKeys { get throws { try parts.keys } }

    func country(_ country: Country) throws -> any CountryDatabase { try #require(try parts.countries[country]) }
}

extension TestEngine {
    static func memory(clock: HandClock) -> TestEngine {
        let store = MemoryEventStore()
        let views = MemoryViews()
        let messaging = MemoryMessaging(now: clock.now)
        let owners = ScheduleOwners()
        let parts = EmbeddedParts(
            feed: store,
            countries: [
                .peru: MemoryCountryDatabase(.peru, owners: owners),
                .chile: MemoryCountryDatabase(.chile, owners: owners),
            ], sweepLog: MemorySweepLog(views: views), keys: MemoryAPIKeys())
        return TestEngine(
            store: store, directory: MemorySubjectDirectory(), views: views, projections: views,
            queues: messaging.queue, deadLetters: messaging, topics: messaging, bus: messaging, clock: clock,
            eventCount: { store.headNow }, embedded: parts)
    }
}

extension TestEngine {
    static func sqlite(clock: HandClock) throws -> TestEngine {
        let file = try SQLiteFile(path: try ScratchFile().path)
        let store = SQLiteEventStore(file)
        let views = SQLiteViews(file)
        let messaging = SQLiteMessaging(file, now: clock.now)
        let parts = EmbeddedParts(
            feed: store,
            countries: [
                .peru: SQLiteCountryDatabase(file, .peru), .chile: SQLiteCountryDatabase(file, .chile),
            ], sweepLog: SQLiteSweepLog(file), keys: SQLiteAPIKeys(file))
        return TestEngine(
            store: store, directory: SQLiteSubjectDirectory(file), views: views, projections: views,
            queues: { messaging.queue($0) }, deadLetters: messaging, topics: messaging, bus: messaging, clock: clock,
            eventCount: { try await store.head() }, embedded: parts)
    }
}

extension TestEngine {
    /// A ledger in an account of its own at the emulator.
    static func aws(clock: HandClock) async throws -> TestEngine {
        let client = try Emulator.client()
        let tables = DynamoDBTables()
        try await Emulator.makeTables(client, tables)
        try await Emulator.makeMessaging(client)
        let store = DynamoDBEventStore(client, tables: tables)
        let views = DynamoDBViews(client, tables: tables)
        let queues = Dictionary(
            uniqueKeysWithValues: QueueName.allCases.map { name in
                (name, TurnedQueue(client, name, tables: tables, clock: clock))
            })
        return TestEngine(
            store: store, directory: DynamoDBSubjectDirectory(client, tables: tables), views: views,
            projections: views,
            queues: { name in
                guard let queue = queues[name] else { preconditionFailure("every queue was made") }
                return queue
            },
            deadLetters: SQSDeadLetters(client, names: SQSNames(), tables: tables, now: clock.now),
            topics: SNSTopics(client), bus: EventBridgeBus(client, name: Emulator.bus), clock: clock,
            eventCount: { try await store.count() })
    }
}

@Suite struct EngineTests {
    @Test("AWS takes part in the contracts", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
    func aws() { #expect(Engine.available.contains(.aws)) }
}

/// A clock that is turned by hand. It begins on Monday 2 March 2026 at 10:00 in Lima.
final class HandClock: Sendable {
    private let moment = Mutex(Timestamp(milliseconds: 1_772_463_600_000))

    @Sendable func now() -> Timestamp { moment.withLock { $0 } }

    func advance(milliseconds: Int64) { moment.withLock { $0 = $0.adding(milliseconds: milliseconds) } }
}

import Appointments
import EventStore
import Handlers
import PostgresEngine
import Projections
import SQLiteEngine
import Synchronization
import TestPostgres
import Testing

/// The engines that every contract runs against.
enum Engine: CustomTestStringConvertible {
    case memory
    case sqlite
    /// The countries' databases alone; the rest is in memory.
    case postgres

    /// Those that hold a whole ledger.
    static let available: [Engine] = [.memory, .sqlite]
    /// Those that hold a country's database. The contract says what it skips where there is no cluster.
    static let ofCountries = available + (TestCluster.isThere ? [.postgres] : [])

    var testDescription: String { "\(self)" }

    /// A new, empty ledger on this engine.
    func make() async throws -> TestEngine {
        let clock = HandClock()
        switch self {
        case .memory: return try .memory(clock: clock)
        case .sqlite: return try .sqlite(clock: clock)
        case .postgres: return try await .postgres(clock: clock)
        }
    }
}

/// All protocols of one engine over one empty ledger, and the clock that it goes by.
struct TestEngine: Sendable {
    let store: any EventStore
    let feed: any EventFeed
    let audit: any AuditLog
    let scan: any StreamScan
    let directory: any SubjectDirectory
    let keyRing: KeyRing
    let sets: any ViewSets
    let views: any AppointmentViews
    let projections: any ProjectionStore
    let control: any ProjectionControl
    let queues: @Sendable (QueueName) -> any MessageQueue
    let deadLetters: any DeadLetters
    let topics: any Topics
    let bus: any EventBus
    fileprivate(set) var countries: [Country: any CountryDatabase]
    let sweepLog: any SweepLog
    let keys: any APIKeys
    let clock: HandClock

    var people: PersonResolver { PersonResolver(directory: directory, keys: keyRing) }

    func country(_ country: Country) throws -> any CountryDatabase { try #require(countries[country]) }
}

extension TestEngine {
    static func memory(clock: HandClock) throws -> TestEngine {
        let store = MemoryEventStore()
        let views = MemoryViews()
        let messaging = MemoryMessaging(now: clock.now)
        let owners = ScheduleOwners()
        let directory = MemorySubjectDirectory()
        let keyRing = try KeyRing(master: Array(repeating: 7, count: 32))
        return TestEngine(
            store: store, feed: store, audit: store, scan: store, directory: directory, keyRing: keyRing,
            sets: MemoryViewSets(views, store: store, directory: directory, keys: keyRing), views: views,
            projections: views, control: views, queues: messaging.queue, deadLetters: messaging, topics: messaging,
            bus: messaging,
            countries: [
                .peru: MemoryCountryDatabase(.peru, owners: owners),
                .chile: MemoryCountryDatabase(.chile, owners: owners),
            ], sweepLog: MemorySweepLog(views: views), keys: MemoryAPIKeys(), clock: clock)
    }
}

extension TestEngine {
    static func sqlite(clock: HandClock) throws -> TestEngine {
        let file = try SQLiteFile(path: try ScratchFile().path)
        let store = SQLiteEventStore(file)
        let views = SQLiteViews(file)
        let messaging = SQLiteMessaging(file, now: clock.now)
        let keyRing = try KeyRing(master: Array(repeating: 7, count: 32))
        return TestEngine(
            store: store, feed: store, audit: store, scan: store, directory: SQLiteSubjectDirectory(file),
            keyRing: keyRing, sets: SQLiteViewSets(file, keys: keyRing), views: views,
            projections: views, control: views, queues: { messaging.queue($0) }, deadLetters: messaging,
            topics: messaging,
            bus: messaging,
            countries: [
                .peru: SQLiteCountryDatabase(file, .peru), .chile: SQLiteCountryDatabase(file, .chile),
            ], sweepLog: SQLiteSweepLog(file), keys: SQLiteAPIKeys(file), clock: clock)
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

/// A clock that is turned by hand. It begins on Monday 2 March 2026 at 10:00 in Lima.
final class HandClock: Sendable {
    private let moment = Mutex(Timestamp(milliseconds: 1_772_463_600_000))

    @Sendable func now() -> Timestamp { moment.withLock { $0 } }

    func advance(milliseconds: Int64) { moment.withLock { $0 = $0.adding(milliseconds: milliseconds) } }
}

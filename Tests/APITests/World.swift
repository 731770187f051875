import API
import Appointments
import EventStore
import Handlers
import LogService
import Logging
import MemoryEngine
import Projections
import RawHTTP
import Synchronization
import Testing
import TransparencyLog

/// A whole ledger in memory, with its request table and a clock that is turned by hand.
struct World {
    let store = MemoryEventStore()
    let views = MemoryAppointmentView()
    let keys = CountedKeys()
    let trail = MemoryAccessLog()
    let directory = MemorySubjectDirectory()
    let messaging: MemoryMessaging
    let countries: [Country: MemoryCountryDatabase]
    let performer: Performer
    let runner: ProjectionRunner
    let table: API
    let clock: Clock
    let logger: Logger
    /// Signs the log, when a test says so.
    let checkpointer: Checkpointer

    final class Clock: Sendable {
        private let time = Mutex(Timestamp("2026-11-24T07:10:53.123Z")!)
        var now: Timestamp { time.withLock { $0 } }
        private let since = Mutex(Duration.zero)
        /// What a clock shows that is never set.
        var elapsed: Duration { since.withLock { $0 } }

        /// Lets time pass.
        func advance(milliseconds: Int64) {
            set(by: milliseconds)
            since.withLock { $0 += .milliseconds(milliseconds) }
        }

        /// Sets the wall clock, while no time passes.
        func set(by milliseconds: Int64) { time.withLock { $0 = $0.adding(milliseconds: milliseconds) } }
    }

    /// - Parameter failing: stands in for the store where a test wants it to fail.
    init(
        limits: RateLimits = RateLimits(), proxies: TrustedProxies = .none, origins: AllowedOrigins = .any,
        failing: (any EventStore)? = nil, views other: (any AppointmentView)? = nil,
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws {
        self.logger = logger
        let clock = Clock()
        let now: @Sendable () -> Timestamp = { clock.now }
        let random: @Sendable (Int) -> [UInt8] = { (0..<$0).map { _ in .random(in: 0...255) } }
        let ring = try KeyRing(master: Array(repeating: 7, count: 32))
        let messaging = MemoryMessaging(now: now)
        let owners = ScheduleOwners()
        let countries = [
            Country.peru: MemoryCountryDatabase(.peru, owners: owners),
            .chile: MemoryCountryDatabase(.chile, owners: owners),
        ]
        (self.clock, self.messaging, self.countries) = (clock, messaging, countries)
        performer = Performer(
            store: failing ?? store, subjects: SubjectKeys(directory: directory, keys: ring, random: random),
            countries: countries, topics: messaging, bus: messaging, now: now)
        runner = ProjectionRunner(
            feed: store, store: store, views: views, people: PersonResolver(directory: directory, keys: ring))
        let signer = HeldKey(
            try SigningKey(name: "log.example/world", type: .ed25519, seed: Array(repeating: 5, count: 32)))
        let checkpoints = MemoryCheckpointStore()
        checkpointer = Checkpointer(tree: store, store: checkpoints, signer: signer)
        let status = LedgerStatus(
            feed: store, views: views, checkpoints: views, projections: [ProjectionRunner.projection], audit: store,
            queues: Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, messaging.queue($0)) }),
            standing: { [checkpointer] () throws(EventStoreError) in try await checkpointer.standing() },
            sweeps: MemorySweepLog(views: views), now: now)
        table = API(
            performer: performer, views: other ?? views,
            log: store,
            people: PersonResolver(directory: directory, keys: ring),
            progress: ViewProgress(feed: store, checkpoints: views),
            audit: store, histories: store, trail: trail,
            authenticator: Authenticator(keys: keys), status: StatusWatch(status),
            signedLog: ServedLog(
                tree: store, feed: store, streams: store, checkpoints: checkpoints, signer: signer),
            secrets: ring,
            limits: limits,
            proxies: proxies, origins: origins, elapsed: { clock.elapsed }, random: random, logger: logger)
    }

    /// Creates an API key and gives its secret.
    func key(_ name: String, _ role: Role) async throws -> String {
        let secret = "secret-of-\(name)"
        let digest = Hash(of: Array(secret.utf8))
        _ = try await keys.carryOut(.create(name: name, role: role, digest: digest), by: "tests", at: clock.now)
        return secret
    }

    /// Takes everything that was appended into the views.
    func catchUp() async throws {
        while try await runner.step(now: clock.now) > 0 {}
    }

    /// Sends a request straight to the table.
    func send(
        _ method: String, _ target: String, body: String = "", headers: [(String, String)] = [], key: String? = nil,
        from address: String = "127.0.0.1"
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var headers: [(name: String, value: String)] = headers.map { ($0.0, $0.1) }
        if let key { headers.append(("X-API-Key", key)) }
        let response = await table.respond(
            to: APIRequest(
                method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
                headers: headers, body: Array(body.utf8), remoteAddress: address, requestID: "request-1"))
        try await catchUp()
        return Answer(status: response.status, headers: response.headers, content: response.body)
    }

    static let request = #"{"insuredId":"00123","scheduleId":100,"countryISO":"PE"}"#

    /// Asks for an appointment and gives its id.
    func ask(insured: String = "00123", schedule: Int = 100, country: String = "PE") async throws -> String {
        let answer = try await send(
            "POST", "/appointments",
            body: #"{"insuredId":"\#(insured)","scheduleId":\#(schedule),"countryISO":"\#(country)"}"#)
        return try answer.text("appointmentId")
    }

    /// Asks over the wire, with some more header fields.
    static func asking(insured: String = "00123", schedule: Int = 100, headers: String = "") -> [UInt8] {
        post(
            Array(#"{"insuredId":"\#(insured)","scheduleId":\#(schedule),"countryISO":"PE"}"#.utf8),
            headers: "Content-Type: application/json\r\n" + headers)
    }

    /// Routes and processes an appointment of Peru whose slot is schedule 100.
    func process(_ appointment: String) async throws {
        let id = try #require(AppointmentID(appointment))
        let slot = Slot(
            schedule: ScheduleID(100)!, center: 4, specialty: 3, medic: 2,
            date: Timestamp("2026-12-02T15:00:00.000Z")!)
        try await countries[.peru]?.add([slot])
        clock.advance(milliseconds: 1000)
        _ = try await performer.run(Router(id, purpose: .route))
        clock.advance(milliseconds: 1000)
        for message in messaging.receiveNow(from: .peru, limit: 10, visibilityMilliseconds: 1000) {
            _ = try await performer.run(CountryProcessor(.peru, body: message.body))
        }
        try await catchUp()
    }

    /// Routes, processes and completes an appointment of Peru whose slot is schedule 100.
    func complete(_ appointment: String) async throws {
        try await process(appointment)
        clock.advance(milliseconds: 1000)
        for message in messaging.receiveNow(from: .completion, limit: 10, visibilityMilliseconds: 1000) {
            _ = try await performer.run(CompletionProjector(body: message.body))
        }
        try await catchUp()
    }
}

import Appointments
import EventStore
import Handlers
import Logging
import MemoryEngine
import Synchronization
import Testing

/// A whole ledger in memory: store, view, queues, countries and the performer, with a clock that is turned by hand.
struct World {
    let store = MemoryEventStore()
    let views = MemoryAppointmentView()
    let directory = MemorySubjectDirectory()
    let keys: KeyRing
    let messaging: MemoryMessaging
    let countries: [Country: MemoryCountryDatabase]
    let performer: Performer
    let clock = Clock()
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// A clock that is turned by hand. It begins on Monday 2 March 2026 at 10:00 in Lima.
    final class Clock: Sendable {
        private let moment = Mutex(Timestamp(milliseconds: 1_772_463_600_000))
        var now: Timestamp { moment.withLock { $0 } }
        func advance(milliseconds: Int64) { moment.withLock { $0 = $0.adding(milliseconds: milliseconds) } }
    }

    init() throws {
        let now: @Sendable () -> Timestamp = { [clock] in clock.now }
        keys = try KeyRing(master: Array(repeating: 7, count: 32))
        messaging = MemoryMessaging(now: now)
        let owners = ScheduleOwners()
        countries = [
            .peru: MemoryCountryDatabase(.peru, owners: owners), .chile: MemoryCountryDatabase(.chile, owners: owners),
        ]
        performer = Performer(
            store: store,
            subjects: SubjectKeys(
                directory: directory, keys: keys, random: { (0..<$0).map { _ in .random(in: 0...255) } }),
            countries: countries, topics: messaging, bus: messaging, now: now)
    }

    /// Lists a slot of Peru that begins so many hours from now.
    func list(_ schedule: Int64, hours: Int64 = 24, medic: Int64 = 1) throws {
        let date = clock.now.adding(milliseconds: hours * 3_600_000)
        try countries[.peru]?.addNow([
            Slot(schedule: try self.schedule(schedule), center: 1, specialty: 1, medic: medic, date: date)
        ])
    }

    func schedule(_ number: Int64) throws -> ScheduleID { try #require(ScheduleID(number)) }

    /// Asks for a slot and gives the appointment's id.
    @discardableResult
    func ask(_ schedule: Int64, insured: String = "00123", country: Country = .peru) async throws -> AppointmentID {
        let id = AppointmentID(at: clock.now, random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
        let completion = try await performer.run(try intake(id, schedule, insured: insured, country: country))
        guard case .accepted = completion else { throw Unexpected("\(completion)") }
        return id
    }

    func intake(
        _ id: AppointmentID, _ schedule: Int64, insured: String = "00123", country: Country = .peru,
        event: Identifier = Identifier(high: .random(in: 0 ... .max), low: 1)
    ) throws -> Intake {
        Intake(
            Intake.Wish(
                insured: try #require(InsuredID(insured)),
                request: Requested(schedule: try self.schedule(schedule), country: country), actor: "test",
                correlation: "c"),
            ids: Intake.NewIDs(
                appointment: id, event: event, nonce: (0..<12).map { _ in .random(in: 0...255) }))
    }

    /// The same performer with another database of Peru.
    func performer(with peru: any CountryDatabase) -> Performer {
        Performer(
            store: store, subjects: performer.subjects, countries: [.peru: peru], topics: messaging, bus: messaging,
            now: performer.now)
    }

    var router: RouterPump {
        RouterPump(feed: store, checkpoints: views, performer: performer, logger: logger)
    }

    /// Brings what waits in a queue to its handler once, as a pump does.
    @discardableResult
    func handle(_ name: QueueName) async throws -> [QueuePump.Failure] {
        let queue = messaging.queue(name)
        let messages = try await queue.receive(limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 180_000)
        let pump = QueuePump(name, queue: queue, performer: performer, logger: logger)
        let failures = try await pump.handle(messages)
        let failed = Set(failures.map(\.message.receipt))
        try await queue.delete(messages.map(\.receipt).filter { !failed.contains($0) })
        for failure in failures {
            try await queue.retry(failure.message.receipt, afterMilliseconds: 0, reason: failure.reason)
        }
        return failures
    }

    /// Routes and handles until nothing moves any more.
    func settle() async throws {
        while true {
            var moved = try await router.step(limit: 100)
            for name in QueueName.allCases {
                moved += try await messaging.queue(name).depth().waiting
                try await handle(name)
            }
            if moved == 0 { return }
        }
    }

    func state(_ id: AppointmentID) throws -> Appointment { try LoadedAppointment(store.readNow(id.stream)).state }

    func types(_ id: AppointmentID) -> [String] { store.readNow(id.stream).map(\.entry.type) }
}

struct Unexpected: Error {
    let what: String

    init(_ what: String) { self.what = what }
}

/// How many messages of a queue wait, are in hand and are dead.
func counts(of queue: any MessageQueue) async throws(EventStoreError) -> [Int] {
    let depth = try await queue.depth()
    return [depth.waiting, depth.inFlight, depth.dead]
}

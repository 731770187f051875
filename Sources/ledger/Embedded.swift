import Appointments
import EventStore
import Foundation
import Glibc
import Handlers
import Logging
import Machine
import PostgresEngine
import Projections
import Replay
import SQLiteEngine

/// The embedded ledger, wired: one directory with the database, the key file and the server's lock.
struct Embedded: Sendable {
    let directory: String
    let file: SQLiteFile
    let store: SQLiteEventStore
    let views: SQLiteViews
    let viewSets: SQLiteViewSets
    let messaging: SQLiteMessaging
    let sweepLog: SQLiteSweepLog
    let apiKeys: SQLiteAPIKeys
    let keyRing: KeyRing
    let people: PersonResolver
    let performer: Performer
    /// The countries whose slots are in PostgreSQL.
    let countryPools: CountryPools
    /// The copy in PostgreSQL, where there is one.
    let mirror: Mirror?
    /// What auditors are answered from: the mirror where there is one, else the store.
    let log: any AuditLog & StreamReader
    let trail: any AuditTrail
    /// Whether this call has made the demo slots.
    private(set) var hasNewDemoSlots = false

    /// What to do where there is no ledger yet.
    enum Creation {
        case refuse
        case create(demoSlots: Bool)
    }

    /// Opens the ledger in a directory. The environment says which countries have a database elsewhere.
    ///
    /// - Throws: `invalid` when there is none, its key file is missing or another's, or the environment names a
    ///   database that can't be; `unavailable`; `corrupt`.
    static func open(_ directory: String, _ creation: Creation = .refuse) async throws(EventStoreError) -> Embedded {
        let environment = ProcessInfo.processInfo.environment
        let secrets = try PostgresSettings.passwords(of: environment)
        let countryPools = try CountryPools.of(environment, secrets: secrets)
        let mirror = try Mirror.of(environment, secrets: secrets)
        let path = directory + "/ledger.sqlite"
        let isNew = access(path, F_OK) != 0
        if isNew {
            guard case .create = creation else {
                throw EventStoreError(
                    .invalid,
                    message: "there is no ledger in \(directory): begin one with `ledger serve`, or name its --data")
            }
            do {
                try FileManager.default.createDirectory(
                    atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            } catch {
                // Foundation's error is not passed on: its description is a dump.
                throw EventStoreError(
                    .unavailable, message: "the directory \(directory) can't be made: name another --data")
            }
        }
        let file = try SQLiteFile(path: path)
        let directoryOfSubjects = SQLiteSubjectDirectory(file)
        let keyRing = try await keyRing(directory + "/ledger.key", directoryOfSubjects)
        var ledger = Embedded(directory, file, directoryOfSubjects, keyRing, countryPools, mirror)
        if case .create(demoSlots: true) = creation { try await ledger.makeDemoSlots() }
        return ledger
    }

    private init(
        _ directory: String, _ file: SQLiteFile, _ subjects: SQLiteSubjectDirectory, _ keyRing: KeyRing,
        _ countryPools: CountryPools, _ mirror: Mirror?
    ) {
        self.mirror = mirror
        (self.directory, self.file, self.keyRing, self.countryPools) = (directory, file, keyRing, countryPools)
        store = SQLiteEventStore(file)
        let (store, ownTrail) = (store, SQLiteAuditTrail(file))
        log = mirror.map { MirroredLog(mirror: $0.reader, store: store) } ?? store
        trail = mirror.map { AuditTrails($0.trail, otherwise: ownTrail) } ?? ownTrail
        views = SQLiteViews(file)
        viewSets = SQLiteViewSets(file, keys: keyRing)
        messaging = SQLiteMessaging(file, now: Machine.now)
        sweepLog = SQLiteSweepLog(file)
        apiKeys = SQLiteAPIKeys(file)
        people = PersonResolver(directory: subjects, keys: keyRing)
        performer = Performer(
            store: store, subjects: SubjectKeys(directory: subjects, keys: keyRing, random: Machine.random),
            countries: Country.allCases.reduce(into: [:]) { countries, country in
                let elsewhere: (any CountryDatabase)? = countryPools.database(of: country)
                countries[country] = elsewhere ?? SQLiteCountryDatabase(file, country)
            },
            topics: messaging, bus: messaging, now: Machine.now)
    }

    /// Makes the demo slots of all countries at once, unless there is any slot or event already. A country's database
    /// elsewhere is somebody's, and gets none.
    private mutating func makeDemoSlots() async throws(EventStoreError) {
        guard try await store.head() == 0 else { return }
        let own = Country.allCases.filter { !countryPools.contains($0) }
        for country in own {
            guard try await SQLiteCountryDatabase(file, country).schedules(after: nil, limit: 1).isEmpty else { return }
        }
        try await addSlots(
            own.flatMap { country in DemoSlots.make(country, from: Machine.now()).map { (country, $0) } })
        hasNewDemoSlots = !own.isEmpty
    }

    /// Adds slots of all countries: all of one database or none of it, those elsewhere first.
    ///
    /// - Throws: `invalid`, with `SlotRefusals` as its cause, for slots that can't be added.
    func addSlots(
        _ slots: [CountrySlot], _ admission: SlotAdmission = SlotAdmission()
    ) async throws(EventStoreError) {
        try await countryPools.add(slots.filter { countryPools.contains($0.country) }, admission)
        try await SQLiteCountryDatabase.add(
            slots.filter { !countryPools.contains($0.country) }, to: file, admission: admission)
    }

    /// The key file's ring; a new one only for a ledger that has sealed nothing yet.
    private static func keyRing(
        _ path: String, _ subjects: SQLiteSubjectDirectory
    ) async throws(EventStoreError) -> KeyRing {
        let sample = try await subjects.any()
        guard let ring = try KeyFile.read(path) else {
            guard sample == nil else {
                throw EventStoreError(
                    .invalid, message: "the key file \(path) is missing: restore it, nothing else opens what is sealed")
            }
            return try KeyFile.make(path)
        }
        if let sample { _ = try ring.key(of: sample) }
        return ring
    }
}

/// Keeps a second server off the same directory, for as long as it is held.
final class ServerLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `unavailable` when another server holds it.
    init(_ directory: String) throws(EventStoreError) {
        descriptor = Glibc.open(directory + "/serve.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw EventStoreError(
                .unavailable, message: "\(directory)/serve.lock can't be made: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw EventStoreError(
                .unavailable, message: "another server runs on \(directory): stop it, or name another --data")
        }
    }

    deinit { close(descriptor) }
}

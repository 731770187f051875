import Appointments
import EventStore
import Foundation
import Glibc
import Handlers
import HostSystem
import Logging
import PostgresEngine
import Projections
import Replay
import SQLiteEngine

/// The embedded ledger, wired: one directory with the database, the key file and the server's lock.
struct Embedded: Sendable {
    let directory: String
    let file: SQLiteFile
    let store: SQLiteEventStore
    /// Which ledger this is, and which epoch of it.
    let identity: LedgerIdentity
    /// Remembers how far it had come, outside of the database.
    let seenFile: SeenFile
    let views: SQLiteAppointmentView
    let viewSets: SQLiteViewCopies
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
    let trail: any AccessLog
    /// Whether this call has made the demo slots.
    private(set) var hasNewDemoSlots = false

    /// What to do where there is no ledger yet.
    enum Creation {
        case refuse
        case create(demoSlots: Bool)
    }

    /// Opens the ledger in a directory. One that was put back to an older copy begins a new epoch. The environment says
    /// which countries have a database elsewhere.
    ///
    /// - Throws: `invalid` when there is none, it is another than was seen here, its key file is missing or another's,
    ///   or the environment names a database that can't be; `unavailable`; `corrupt`.
    static func open(_ directory: String, _ creation: Creation = .refuse) async throws(EventStoreError) -> Embedded {
        let environment = ProcessInfo.processInfo.environment
        let secrets = try PostgresSettings.passwords(of: environment)
        let countryPools = try CountryPools.of(environment, secrets: secrets)
        let mirror = try Mirror.of(environment, secrets: secrets)
        try PrivateFiles.check(directory)
        let path = directory + "/ledger.sqlite"
        let isNew = access(path, F_OK) != 0
        let seenFile = SeenFile(directory)
        // Before the database: it is compared with what is there afterwards, which never is less.
        let seen = try seenFile.read()
        if isNew {
            if let seen, seen.last.position > 0 {
                throw EventStoreError(
                    .invalid,
                    message: """
                        \(path) is missing, and it had come to position \(seen.last.position): put it back from a \
                        backup. Remove \(seenFile.path) only to begin another ledger here
                        """)
            }
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
        if case .create = creation { try file.requireWritable() }
        let identity = try await recognize(file, seen, seenFile)
        let directoryOfSubjects = SQLiteSubjectDirectory(file)
        let keyRing = try await keyRing(directory + "/ledger.key", directoryOfSubjects, isReadOnly: file.isReadOnly)
        var ledger = Embedded(
            directory, file, identity, directoryOfSubjects, keyRing, countryPools, mirror)
        if case .create(demoSlots: true) = creation { try await ledger.makeDemoSlots() }
        return ledger
    }

    private init(
        _ directory: String, _ file: SQLiteFile, _ identity: LedgerIdentity, _ subjects: SQLiteSubjectDirectory,
        _ keyRing: KeyRing,
        _ countryPools: CountryPools, _ mirror: Mirror?
    ) {
        let mirror = mirror?.belonging(to: identity)
        (self.directory, self.file, self.keyRing) = (directory, file, keyRing)
        (self.identity, self.mirror, seenFile) = (identity, mirror, SeenFile(directory))
        store = SQLiteEventStore(file)
        let store = store
        let kept = SQLiteAccessLog(file)
        let ownTrail: any AccessLog = file.isReadOnly ? UnrecordedAccesses(kept: kept) : kept
        let countryPools = countryPools.belonging(to: identity, store)
        self.countryPools = countryPools
        log = mirror.map { MirroredLog(mirror: $0.reader, store: store, identity: identity) } ?? store
        trail =
            mirror.map { mirror -> any AccessLog in
                let gate = mirror.gate(mirror.reader, store)
                return AccessLogs(mirror.trail, otherwise: ownTrail) { () throws(EventStoreError) in
                    try await gate.isOurs()
                }
            } ?? ownTrail
        views = SQLiteAppointmentView(file)
        let persons = PersonKeys(keyRing)
        viewSets = SQLiteViewCopies(file, keys: persons)
        messaging = SQLiteMessaging(file, now: System.now)
        sweepLog = SQLiteSweepLog(file)
        apiKeys = SQLiteAPIKeys(file)
        people = PersonResolver(directory: subjects, keys: persons)
        performer = Performer(
            store: store, subjects: SubjectKeys(directory: subjects, keys: persons, random: System.random),
            countries: Country.allCases.reduce(into: [:]) { countries, country in
                let elsewhere: (any CountryDatabase)? = countryPools.database(of: country)
                countries[country] = elsewhere ?? SQLiteCountryDatabase(file, country)
            },
            topics: messaging, bus: messaging, now: System.now)
    }

    /// Makes the demo slots of all countries together, unless there is any slot or event already. A country's database
    /// elsewhere is somebody's, and gets none.
    private mutating func makeDemoSlots() async throws(EventStoreError) {
        guard try await store.head() == 0 else { return }
        let own = Country.allCases.filter { !countryPools.contains($0) }
        for country in own {
            guard try await SQLiteCountryDatabase(file, country).schedules(after: nil, limit: 1).isEmpty else { return }
        }
        try await addSlots(
            own.flatMap { country in DemoSlots.make(country, from: System.now()).map { (country, $0) } })
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

    /// Which ledger this is, once it was compared with what was seen of it.
    private static func recognize(
        _ file: SQLiteFile, _ seen: SeenLedger?, _ seenFile: SeenFile
    ) async throws(EventStoreError) -> LedgerIdentity {
        let store = SQLiteEventStore(file)
        let id = Identifier.random()
        // A copy that can only be read is looked at as it is: no epoch can begin there.
        if file.isReadOnly { return try await store.identity() ?? LedgerIdentity(id: id, epoch: 1) }
        let opening = try await store.open(seen: seen, newID: id, now: System.now())
        let logger = Logger(label: "ledger")
        if case .putBack(let now, let before) = opening {
            logger.error(
                """
                the ledger was put back to an older copy: a new epoch begins. What is further or of the epoch before, \
                mirror and countries' databases, is not followed or written to before you say which side is right: \
                `ledger mirror status`, `ledger countries status`
                """,
                metadata: [
                    "ledger": "\(now.identity.id)", "epoch": "\(now.identity.epoch)",
                    "position": "\(now.last.position)", "seen": "\(before.last.position)",
                ])
        }
        if opening.seen != seen {
            do throws(EventStoreError) {
                try seenFile.write(opening.seen)
            } catch {
                // It may lag: the epoch itself stands in the ledger.
                logger.warning("how far the ledger has come can't be noted", metadata: ["error": "\(error)"])
            }
        }
        return opening.seen.identity
    }

    /// The key file's ring; a new one only for a ledger that has sealed nothing yet.
    private static func keyRing(
        _ path: String, _ subjects: SQLiteSubjectDirectory, isReadOnly: Bool
    ) async throws(EventStoreError) -> KeyRing {
        let sample = try await subjects.any()
        guard let ring = try KeyFile.read(path) else {
            guard sample == nil else {
                throw EventStoreError(
                    .invalid, message: "the key file \(path) is missing: restore it, nothing else opens what is sealed")
            }
            return isReadOnly ? try KeyRing(master: System.random(32)) : try KeyFile.make(path)
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
        descriptor = try PrivateFiles.open(directory + "/serve.lock", O_RDWR | O_CREAT) ?? -1
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw EventStoreError(
                .unavailable, message: "another server runs on \(directory): stop it, or name another --data")
        }
    }

    deinit { close(descriptor) }
}

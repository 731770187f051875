import Appointments
import EventStore
import Foundation
import Glibc
import HostSystem
import Logging
import SQLiteEngine

/// The files of an embedded ledger in one directory: the database, the key file, and how far it was seen to come.
struct EmbeddedFiles: Sendable {
    let file: SQLiteFile
    /// Remembers how far the ledger had come, outside of the database.
    let seenFile: SeenFile
    let identity: LedgerIdentity
    let keyRing: KeyRing
    let messaging: SQLiteMessaging
    /// The log that is signed, and the files that it has outside of the database.
    let log: EmbeddedLog
    /// Whether this call has made the demo slots.
    private(set) var hasNewDemoSlots = false

    static func open(
        _ directory: String, _ creation: Ledger.Creation, _ logger: Logger
    ) async throws(EventStoreError) -> EmbeddedFiles {
        try PrivateFiles.check(directory)
        let path = directory + "/ledger.sqlite"
        let isNew = access(path, F_OK) != 0
        let seenFile = SeenFile(directory)
        // Before the database: it is compared with what is there afterwards, which never is less.
        let seen = try seenFile.read()
        if isNew { try begin(directory, path, creation, seen, seenFile) }
        let file = try SQLiteFile(path: path)
        if case .create = creation { try file.requireWritable() }
        let identity = try await recognize(file, seen, seenFile, logger)
        return EmbeddedFiles(
            file: file, seenFile: seenFile, identity: identity,
            keyRing: try await keyRing(directory + "/ledger.key", file),
            messaging: SQLiteMessaging(file, now: System.now),
            log: EmbeddedLog(directory, SQLiteEventStore(file), of: identity))
    }

    /// Makes the directory of a new ledger.
    private static func begin(
        _ directory: String, _ path: String, _ creation: Ledger.Creation, _ seen: SeenLedger?, _ seenFile: SeenFile
    ) throws(EventStoreError) {
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

    /// Makes the demo slots of some countries together, unless there is any slot or event already. A country's database
    /// elsewhere is somebody's, and gets none.
    mutating func makeDemoSlots(_ countries: [Country]) async throws(EventStoreError) {
        guard try await SQLiteEventStore(file).head() == 0 else { return }
        for country in countries {
            guard try await SQLiteCountryDatabase(file, country).schedules(after: nil, limit: 1).isEmpty else { return }
        }
        let slots = countries.flatMap { country in
            DemoSlots.make(country, from: System.now()).map { (country, $0) }
        }
        try await addSlots(slots, SlotAdmission())
        hasNewDemoSlots = !countries.isEmpty
    }

    /// Adds slots of countries whose slots are in the file.
    func addSlots(_ slots: [CountrySlot], _ admission: SlotAdmission) async throws(EventStoreError) {
        try await SQLiteCountryDatabase.add(slots, to: file, admission: admission)
    }

    /// Which ledger this is, once it was compared with what was seen of it.
    private static func recognize(
        _ file: SQLiteFile, _ seen: SeenLedger?, _ seenFile: SeenFile, _ logger: Logger
    ) async throws(EventStoreError) -> LedgerIdentity {
        let store = SQLiteEventStore(file)
        let id = Identifier.random()
        // A copy that can only be read is looked at as it is: no epoch can begin there.
        if file.isReadOnly { return try await store.identity() ?? LedgerIdentity(id: id, epoch: 1) }
        let opening = try await store.open(seen: seen, newID: id, now: System.now())
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
    private static func keyRing(_ path: String, _ file: SQLiteFile) async throws(EventStoreError) -> KeyRing {
        let sample = try await SQLiteSubjectDirectory(file).any()
        guard let ring = try KeyFile.read(path) else {
            guard sample == nil else {
                throw EventStoreError(
                    .invalid, message: "the key file \(path) is missing: restore it, nothing else opens what is sealed")
            }
            return file.isReadOnly ? try KeyRing(master: System.random(32)) : try KeyFile.make(path)
        }
        if let sample { _ = try ring.key(of: sample) }
        return ring
    }
}

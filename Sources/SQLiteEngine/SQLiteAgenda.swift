import Appointments
import EventStore
import Foundation
import GRDB

/// Changes of the agenda: the slots of all countries that are kept in one file.
///
/// The lines are judged outside of any write transaction, against the agenda as it was at one version. A few changes
/// are written in one short transaction. Many go into a table next to the live one, a piece a transaction, with a pause
/// after each for those who book; then the tables change places in one transaction that is as short. Before either,
/// the version and the holders are looked at once more. A process that dies leaves the old agenda.
struct SQLiteAgenda {
    /// The most slots that are written in one transaction.
    static let pieceSlots = 1000
    /// How often a change is judged again because the agenda moved meanwhile.
    private static let maximumRounds = 5

    let file: SQLiteFile

    init(_ file: SQLiteFile) { self.file = file }

    /// Adds slots; all or none.
    ///
    /// - Throws: as `CountryDatabase.add`. `unavailable` when others change the agenda for too long.
    func add(_ slots: [CountrySlot], _ admission: SlotAdmission) async throws(EventStoreError) {
        if slots.isEmpty { return }
        let lock = try await AgendaLock.take(beside: file.path)
        defer { lock.release() }
        for _ in 0..<Self.maximumRounds {
            let (agenda, version) = try await load()
            let changes = try agenda.changes(adding: slots, bookableFrom: admission.bookableFrom)
            if changes.isEmpty || admission.checksOnly { return }
            if changes.count <= Self.pieceSlots {
                if try await write(changes, at: version) { return }
            } else {
                if try await SQLiteAgendaSwap(file, changes, version).run(admission.progress) { return }
            }
        }
        throw EventStoreError(
            .unavailable, message: "slots are booked and changed all the time, and nothing was imported: try again")
    }

    /// The agenda, who holds what, and the version that this is.
    private func load() async throws(EventStoreError) -> (Agenda, Int64) {
        try await file.scan { database in
            var agenda = Agenda()
            try database.eachRow("SELECT schedule, center, specialty, medic, date, country FROM schedules") { row in
                guard let country = Country(rawValue: row[5]) else { throw row.damaged(5) }
                agenda.list(try SQLiteCountryDatabase.slot(row), of: country)
            }
            try database.eachRow("SELECT schedule FROM claims WHERE released IS NULL") { row in
                guard let schedule = ScheduleID(row[0]) else { throw row.damaged(0) }
                agenda.hold(schedule)
            }
            return (agenda, try Self.version(in: database))
        }
    }

    static func version(in database: Database) throws -> Int64 {
        try database.row("SELECT version FROM agenda") { $0[0] } ?? 0
    }

    static func moveVersion(in database: Database) throws {
        try database.run("UPDATE agenda SET version = version + 1")
    }

    /// Writes a few changes, unless the agenda has moved or one of the slots is held by now.
    private func write(_ changes: [Agenda.Change], at version: Int64) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            let database = writing.database
            guard try Self.version(in: database) == version else { return false }
            let replaced = changes.filter { !$0.isNew }
            for change in replaced {
                let held = try database.row(
                    "SELECT 1 FROM claims WHERE country = ? AND schedule = ? AND released IS NULL",
                    [change.country.code, change.slot.schedule.number]
                ) { _ in true }
                if held == true { return false }
            }
            // All leave their places before any takes its new one. What was given back still names its slot, which is
            // there again when the transaction ends.
            try database.execute(sql: "PRAGMA defer_foreign_keys = ON")
            for change in replaced {
                try database.run("DELETE FROM schedules WHERE schedule = ?", [change.slot.schedule.number])
            }
            for change in changes {
                try database.run("INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?)", change.values)
            }
            try Self.moveVersion(in: database)
            return true
        }
    }
}

// MARK: - Tables

extension SQLiteAgenda {
    /// A table of slots for the next agenda. The first one of a ledger also has the same medic at the same place and
    /// time but once; that says less than the triggers, and an index of it would double what each piece writes.
    static func table(_ name: String) -> String {
        """
        CREATE TABLE \(name) (
            schedule INTEGER PRIMARY KEY,
            country TEXT NOT NULL,
            center INTEGER NOT NULL,
            specialty INTEGER NOT NULL,
            medic INTEGER NOT NULL,
            date INTEGER NOT NULL
        ) STRICT;

        """
    }

    /// The indexes of a table of slots. Their names stay when the table is renamed, so a mark keeps them apart.
    static func indexes(of table: String, mark: Int64) -> String {
        """
        CREATE INDEX schedules_\(mark)_by_country ON \(table) (country, schedule);
        CREATE INDEX schedules_\(mark)_by_medic ON \(table) (country, medic, date);

        """
    }

    /// What keeps a medic from two slots at a time, whoever writes. Slots that overlapped before these triggers stay
    /// until one of them is changed.
    static let triggers = ["INSERT", "UPDATE OF country, medic, date"].enumerated().map { index, event in
        """
        CREATE TRIGGER medics_have_one_slot_at_a_time_\(index) BEFORE \(event) ON schedules WHEN EXISTS (
            SELECT 1 FROM schedules AS other
            WHERE other.country = NEW.country AND other.medic = NEW.medic AND other.schedule <> NEW.schedule
                AND other.date > NEW.date - \(slotMilliseconds) AND other.date < NEW.date + \(slotMilliseconds))
            BEGIN SELECT RAISE(ABORT, 'a medic has one slot at a time'); END;

        """
    }.joined()

    static let dropTriggers = """
        DROP TRIGGER medics_have_one_slot_at_a_time_0;
        DROP TRIGGER medics_have_one_slot_at_a_time_1;

        """

    private static let slotMilliseconds = 1_800_000
}

extension Agenda.Change {
    /// Its columns in the order of the table.
    var values: StatementArguments {
        [
            slot.schedule.number, country.code, slot.center, slot.specialty, slot.medic, slot.date.milliseconds,
        ]
    }
}

/// Keeps a second change of the agenda off the same file, also one of another process, for as long as it is held. The
/// system lets it go when the process ends.
private final class AgendaLock: Sendable {
    private static let patience = Duration.seconds(120)
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// - Throws: `unavailable` when another one holds it for too long, or it can't be made.
    static func take(beside path: String) async throws(EventStoreError) -> AgendaLock {
        let name = path + "-agenda.lock"
        let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw EventStoreError(.unavailable, message: "\(name) can't be made: \(String(cString: strerror(errno)))")
        }
        let deadline = ContinuousClock.now + patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, ContinuousClock.now < deadline, !Task.isCancelled else {
                close(descriptor)
                throw EventStoreError(
                    .unavailable, message: "another import of slots is under way: give the command again behind it")
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return AgendaLock(descriptor)
    }

    func release() { close(descriptor) }
}

package import Appointments
package import EventStore
import Foundation
import GRDB

/// The clinical database of one country in SQLite: its slots, and who holds them.
package final class SQLiteCountryDatabase: CountryDatabase {
    private let file: SQLiteFile
    private let country: Country

    package init(_ file: SQLiteFile, _ country: Country) { (self.file, self.country) = (file, country) }

    package func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try await file.write { [self] writing in try self.claim(claim, in: writing.database) }
    }

    package func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        try await file.write { [self] writing in
            try writing.database.run(
                "UPDATE claims SET released = ? WHERE country = ? AND appointment = ? AND released IS NULL",
                [now.milliseconds, country.code, appointment.blob])
            try self.refuse(appointment, .processingExhausted, at: now, in: writing.database)
        }
    }

    package func add(_ slots: [Slot]) async throws(EventStoreError) {
        try await Self.add(slots.map { (country, $0) }, to: file)
    }

    /// Adds slots of several countries that share one file; all or none.
    package static func add(
        _ slots: [CountrySlot], to file: SQLiteFile, admission: SlotAdmission = SlotAdmission()
    ) async throws(EventStoreError) {
        try await SQLiteAgenda(file).add(slots, admission)
    }

    package func schedules(
        after schedule: ScheduleID?, limit: Int
    ) async throws(EventStoreError) -> [ScheduleRow] {
        try await file.scan { [self] database in
            try database.rows(
                Self.page, [country.code, schedule?.number ?? 0, max(limit, 0)]
            ) { row in
                ScheduleRow(
                    slot: try Self.slot(row), country: country,
                    holder: row.hasNull(atIndex: 5) ? nil : AppointmentID(try row.identifier(5)))
            }
        }
    }
}

// MARK: - Claims that stand

extension SQLiteCountryDatabase {
    package func claims(
        after appointment: AppointmentID?, limit: Int
    ) async throws(EventStoreError) -> [StandingClaim] {
        try await file.scan { [self] database in
            // The empty blob stands before all.
            try database.rows(
                Self.claimPage, [country.code, appointment?.blob ?? Data(), max(limit, 0)]
            ) { row in
                guard let schedule = ScheduleID(row[1]) else { throw row.damaged(1) }
                return StandingClaim(
                    appointment: AppointmentID(try row.identifier(0)), schedule: schedule,
                    subject: try row.identifier(2), date: row.moment(3), claimed: row.moment(4))
            }
        }
    }

    package func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool {
        try await file.write { [self] writing in
            let database = writing.database
            let own = try database.row(
                "SELECT schedule FROM claims WHERE country = ? AND appointment = ? AND released IS NULL",
                [country.code, claim.appointment.blob]
            ) { ScheduleID($0[0]) }
            let fits = claim.fits(
                try slot(claim.schedule, in: database), heldBy: try holder(of: claim.schedule, in: database),
                own: own ?? nil, others: try slots(heldBy: claim.subject, in: database))
            guard fits, own == nil else { return fits }
            try database.run(
                """
                INSERT INTO claims (country, appointment, schedule, subject, date, claimed) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (country, appointment) DO UPDATE SET
                    schedule = excluded.schedule, subject = excluded.subject, date = excluded.date,
                    claimed = excluded.claimed, released = NULL
                """,
                [
                    country.code, claim.appointment.blob, claim.schedule.number, claim.subject.blob,
                    claim.date.milliseconds,
                    claim.claimed.milliseconds,
                ])
            return true
        }
    }
}

// MARK: - Within a transaction

extension SQLiteCountryDatabase {
    /// The query for a page of slots: country, the slot before it, how many.
    static let page = """
        SELECT \(columns), appointment FROM schedules AS slot LEFT JOIN claims AS claim
            ON claim.country = slot.country AND claim.schedule = slot.schedule AND claim.released IS NULL
        WHERE slot.country = ? AND slot.schedule > ? ORDER BY slot.schedule LIMIT ?
        """

    /// The query for a page of claims: country, the appointment before it, how many.
    static let claimPage = """
        SELECT appointment, schedule, subject, date, claimed FROM claims
        WHERE country = ? AND released IS NULL AND appointment > ? ORDER BY appointment LIMIT ?
        """

    static let columns = "slot.schedule, slot.center, slot.specialty, slot.medic, slot.date"

    static func slot(_ row: Row) throws -> Slot {
        guard let schedule = ScheduleID(row[0]) else { throw row.damaged(0) }
        return Slot(schedule: schedule, center: row[1], specialty: row[2], medic: row[3], date: row.moment(4))
    }

    private func slot(_ schedule: ScheduleID, in database: Database) throws -> Slot? {
        try database.row(
            "SELECT \(Self.columns) FROM schedules AS slot WHERE schedule = ? AND country = ?",
            [schedule.number, country.code], Self.slot)
    }

    private func holder(of schedule: ScheduleID, in database: Database) throws -> AppointmentID? {
        try database.row(
            "SELECT appointment FROM claims WHERE country = ? AND schedule = ? AND released IS NULL",
            [country.code, schedule.number]
        ) { AppointmentID(try $0.identifier(0)) }
    }

    /// The slots that a person holds in this country.
    private func slots(heldBy subject: Identifier, in database: Database) throws -> [Slot] {
        try database.rows(
            """
            SELECT \(Self.columns) FROM claims AS claim JOIN schedules AS slot ON slot.schedule = claim.schedule
            WHERE claim.country = ? AND claim.subject = ? AND claim.released IS NULL
            """, [country.code, subject.blob], Self.slot)
    }

    private func claim(_ claim: SlotClaim, in database: Database) throws -> ClaimResult {
        let holder = try holder(of: claim.schedule, in: database)
        let refused = try refusal(of: claim.appointment, in: database)
        let result = claim.decide(
            refused: refused, on: try slot(claim.schedule, in: database), heldBy: holder,
            others: try slots(heldBy: claim.subject, in: database))
        if case .refused(let reason) = result, refused == nil {
            try refuse(claim.appointment, reason, at: claim.now, in: database)
        }
        guard case .held(let slot) = result, holder != claim.appointment else { return result }
        try database.run(
            """
            INSERT INTO claims (country, appointment, schedule, subject, date, claimed) VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                country.code, claim.appointment.blob, claim.schedule.number, claim.subject.blob, slot.date.milliseconds,
                claim.now.milliseconds,
            ])
        return .held(slot)
    }

    private func refusal(of appointment: AppointmentID, in database: Database) throws -> FailureReason? {
        try database.row(
            "SELECT reason FROM refusals WHERE country = ? AND appointment = ?", [country.code, appointment.blob]
        ) { row in
            guard let reason = FailureReason(rawValue: row[0]) else { throw row.damaged(0) }
            return reason
        }
    }

    /// Refuses an appointment for ever; the first reason stands.
    private func refuse(
        _ appointment: AppointmentID, _ reason: FailureReason, at now: Timestamp, in database: Database
    ) throws {
        try database.run(
            "INSERT INTO refusals (country, appointment, reason, refused) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [country.code, appointment.blob, reason.rawValue, now.milliseconds])
    }
}

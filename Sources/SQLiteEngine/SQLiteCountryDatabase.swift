package import Appointments
package import EventStore
import Foundation
import GRDB
package import Handlers

/// The clinical database of one country in SQLite: its slots, and who holds them.
package final class SQLiteCountryDatabase: CountryDatabase {
    private let file: SQLiteFile
    private let country: Country
    /// `appointments_pe` or `appointments_cl`.
    private let claims: String
    private let refusals: String

    package init(_ file: SQLiteFile, _ country: Country) {
        (self.file, self.country) = (file, country)
        claims = "appointments_\(country.code.lowercased())"
        refusals = "refusals_\(country.code.lowercased())"
    }

    package func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try await file.write { [self] writing in try self.claim(claim, in: writing.database) }
    }

    package func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        try await file.write { [self] writing in
            try writing.database.run(
                "UPDATE \(claims) SET released = ? WHERE appointment = ? AND released IS NULL",
                [now.milliseconds, appointment.blob])
            try self.refuse(appointment, .processingExhausted, at: now, in: writing.database)
        }
    }

    package func add(_ slots: [Slot]) async throws(EventStoreError) {
        try await file.write { [self] writing in
            for slot in slots { try add(slot, in: writing.database) }
        }
    }

    /// Adds slots of several countries that share one file; all or none.
    package static func add(
        _ slots: [(country: Country, slot: Slot)], to file: SQLiteFile
    ) async throws(EventStoreError) {
        try await file.write { writing in
            for (country, slot) in slots { try SQLiteCountryDatabase(file, country).add(slot, in: writing.database) }
        }
    }

    package func schedules(
        after schedule: ScheduleID?, limit: Int
    ) async throws(EventStoreError) -> [ScheduleRow] {
        try await file.scan { [self] database in
            try database.rows(
                """
                SELECT \(Self.columns), appointment FROM schedules AS slot LEFT JOIN \(claims) AS claim
                    ON claim.schedule = slot.schedule AND claim.released IS NULL
                WHERE slot.country = ? AND slot.schedule > ? ORDER BY slot.schedule LIMIT ?
                """, [country.code, schedule?.number ?? 0, max(limit, 0)]
            ) { row in
                ScheduleRow(
                    slot: try Self.slot(row), country: country,
                    holder: row.hasNull(atIndex: 5) ? nil : AppointmentID(try row.identifier(5)))
            }
        }
    }
}

// MARK: - Within a transaction

extension SQLiteCountryDatabase {
    private static let columns = "slot.schedule, slot.center, slot.specialty, slot.medic, slot.date"

    private static func slot(_ row: Row) throws -> Slot {
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
            "SELECT appointment FROM \(claims) WHERE schedule = ? AND released IS NULL", [schedule.number]
        ) { AppointmentID(try $0.identifier(0)) }
    }

    /// The slots that a person holds in this country.
    private func slots(heldBy subject: Identifier, in database: Database) throws -> [Slot] {
        try database.rows(
            """
            SELECT \(Self.columns) FROM \(claims) AS claim JOIN schedules AS slot ON slot.schedule = claim.schedule
            WHERE claim.subject = ? AND claim.released IS NULL
            """, [subject.blob], Self.slot)
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
            INSERT INTO \(claims) (appointment, schedule, subject, date, claimed) VALUES (?, ?, ?, ?, ?)
            """,
            [
                claim.appointment.blob, claim.schedule.number, claim.subject.blob, slot.date.milliseconds,
                claim.now.milliseconds,
            ])
        return .held(slot)
    }

    private func refusal(of appointment: AppointmentID, in database: Database) throws -> FailureReason? {
        try database.row("SELECT reason FROM \(refusals) WHERE appointment = ?", [appointment.blob]) { row in
            guard let reason = FailureReason(rawValue: row[0]) else { throw row.damaged(0) }
            return reason
        }
    }

    /// Refuses an appointment for ever; the first reason stands.
    private func refuse(
        _ appointment: AppointmentID, _ reason: FailureReason, at now: Timestamp, in database: Database
    ) throws {
        try database.run(
            "INSERT INTO \(refusals) (appointment, reason, refused) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [appointment.blob, reason.rawValue, now.milliseconds])
    }

    private func add(_ slot: Slot, in database: Database) throws {
        let number = slot.schedule.number
        let owner = try database.row("SELECT country FROM schedules WHERE schedule = ?", [number]) { $0[0] as String }
        if let owner, owner != country.code {
            throw EventStoreError.slotIsElsewhere(slot.schedule)
        }
        if try self.slot(slot.schedule, in: database) == slot { return }
        if try holder(of: slot.schedule, in: database) != nil {
            throw EventStoreError.slotIsHeld(slot.schedule)
        }
        let twin = try database.row(
            "SELECT schedule FROM schedules WHERE country = ? AND center = ? AND medic = ? AND date = ?",
            [country.code, slot.center, slot.medic, slot.date.milliseconds]
        ) { $0[0] as Int64 }
        if let twin = twin.flatMap(ScheduleID.init), twin != slot.schedule {
            throw EventStoreError.slotIsListed(slot.schedule, as: twin)
        }
        try database.run(
            """
            INSERT INTO schedules (schedule, country, center, specialty, medic, date) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (schedule) DO UPDATE SET center = excluded.center, specialty = excluded.specialty,
                medic = excluded.medic, date = excluded.date
            """, [number, country.code, slot.center, slot.specialty, slot.medic, slot.date.milliseconds])
    }
}

package import Appointments
package import EventStore
import GRDB
package import Projections

extension SQLiteAppointmentView: ConsumerStore {
    package func checkpoint(of projection: ConsumerName) async throws(EventStoreError) -> Int {
        try await file.read { try Self.checkpoint(of: projection, in: $0) }
    }

    package func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        try await file.read { database in
            var rows: [AppointmentID: AppointmentRow] = [:]
            for id in appointments { rows[id] = try Self.row(id, in: database) }
            return rows
        }
    }

    package func commit(
        _ commit: ProjectionCommit, of projection: ConsumerName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            let database = writing.database
            guard try Self.checkpoint(of: projection, in: database) == checkpoint else { return false }
            try Self.put(commit.rows, parking: commit.parked, by: projection, in: database)
            try Self.moveCheckpoint(of: projection, to: commit.checkpoint, in: database)
            return true
        }
    }

    package func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName
    ) async throws(EventStoreError) {
        try await file.write { writing in
            try Self.put(rows, parking: parked, by: projection, in: writing.database)
        }
    }

    package func parked(by projection: ConsumerName) async throws(EventStoreError) -> [ParkedEvent] {
        try await file.read { database in
            // A bare column next to min() takes the value of the row with the minimum (sqlite.org/lang_select.html).
            try database.rows(
                """
                SELECT appointment, min(version), reason, at FROM parked WHERE projection = ?
                GROUP BY appointment ORDER BY appointment
                """, [projection.description]
            ) { row in
                ParkedEvent(
                    appointment: AppointmentID(try row.identifier(0)), version: row[1], reason: row[2],
                    at: row.moment(3))
            }
        }
    }

    package func unpark(
        _ appointment: AppointmentID, upTo version: Int, from projection: ConsumerName
    ) async throws(EventStoreError) {
        try await file.write { writing in
            try writing.database.run(
                "DELETE FROM parked WHERE projection = ? AND appointment = ? AND version <= ?",
                [projection.description, appointment.blob, version])
        }
    }
}

// MARK: - Within a transaction

extension SQLiteAppointmentView {
    static func checkpoint(of projection: ConsumerName, in database: Database) throws -> Int {
        try database.row(
            "SELECT position FROM checkpoints WHERE projection = ?", [projection.description]
        ) { $0[0] } ?? 0
    }

    /// Now, by the database's own clock: it says when a row moved, and no rule depends on it.
    static let moment = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

    static func moveCheckpoint(of projection: ConsumerName, to position: Int, in database: Database) throws {
        try database.run(
            """
            INSERT INTO checkpoints (projection, position, moved)
            VALUES (?, ?, \(moment))
            ON CONFLICT (projection) DO UPDATE SET position = excluded.position, moved = excluded.moved
            """, [projection.description, position])
    }

    /// Writes rows that are not older than what is there, and parked events.
    private static func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName, in database: Database
    ) throws {
        for row in rows {
            guard let old = try Self.row(row.appointment, in: database) else {
                try insert(row, in: database)
                continue
            }
            if row.version >= old.version { try update(row, from: old, in: database) }
        }
        for event in parked { try park(event, by: projection, in: database) }
    }

    static func park(_ event: ParkedEvent, by projection: ConsumerName, in database: Database) throws {
        try database.run(
            "INSERT INTO parked VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                projection.description, event.appointment.blob, event.version, event.reason,
                event.at.milliseconds,
            ])
    }
}

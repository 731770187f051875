package import Appointments
package import EventStore
import GRDB
import Handlers

/// How often the sweeper has sent each appointment round again, in SQLite.
package final class SQLiteSweepLog: SweepLog {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    package func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quietSince: Timestamp, maximum: Int
    ) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            let last = try writing.database.row(
                "SELECT version, rounds, at FROM sweeps WHERE appointment = ?", [appointment.blob]
            ) { (version: $0[0] as Int, rounds: $0[1] as Int, at: $0.moment(2)) }
            let rounds = last?.version == version ? last?.rounds ?? 0 : 0
            if let last, rounds > 0, last.at > quietSince { return false }
            if rounds >= maximum { return false }
            try writing.database.run(
                """
                INSERT INTO sweeps VALUES (?, ?, ?, ?) ON CONFLICT (appointment) DO UPDATE SET
                    version = excluded.version, rounds = excluded.rounds, at = excluded.at
                """, [appointment.blob, version, rounds + 1, now.milliseconds])
            return true
        }
    }

    package func stuck(rounds: Int, quietSince: Timestamp) async throws(EventStoreError) -> [AppointmentID] {
        try await file.read { database in
            try database.rows(
                """
                SELECT sweeps.appointment FROM sweeps JOIN events
                    ON events.stream = sweeps.appointment AND events.version = sweeps.version
                WHERE rounds >= ? AND sweeps.at <= ? AND NOT EXISTS (
                    SELECT 1 FROM events WHERE stream = sweeps.appointment AND version = sweeps.version + 1)
                ORDER BY sweeps.appointment
                """, [rounds, quietSince.milliseconds]
            ) { AppointmentID(try $0.identifier(0)) }
        }
    }
}

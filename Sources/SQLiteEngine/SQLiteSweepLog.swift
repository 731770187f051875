package import Appointments
package import EventStore
import GRDB
import Handlers

/// How often the sweeper has sent each appointment round again, in SQLite.
package final class SQLiteSweepLog: SweepLog {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    package func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            let had = try writing.database.row(
                "SELECT version, rounds, at FROM sweeps WHERE appointment = ?", [appointment.blob]
            ) { SweepRounds(version: $0[0], count: $0[1], last: $0.moment(2)) }
            let next = SweepRounds.next(
                after: had, version: version, now: now, quiet: quiet, maximum: maximum)
            guard let next else { return false }
            try writing.database.run(
                """
                INSERT INTO sweeps VALUES (?, ?, ?, ?) ON CONFLICT (appointment) DO UPDATE SET
                    version = excluded.version, rounds = excluded.rounds, at = excluded.at
                """, [appointment.blob, next.version, next.count, next.last.milliseconds])
            return true
        }
    }

    package func stuck(rounds: Int, quiet: Quiet) async throws(EventStoreError) -> [AppointmentID] {
        try await file.read { database in
            try database.rows(
                """
                SELECT appointment FROM sweeps JOIN appointments USING (appointment, version)
                WHERE rounds >= ? AND (at <= ? OR at > ?) ORDER BY appointment
                """, [rounds, quiet.since.milliseconds, quiet.beyond.milliseconds]
            ) { AppointmentID(try $0.identifier(0)) }
        }
    }
}

package import Appointments
package import EventStore
package import Projections

extension PostgresMirror: StreamScan {
    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        let first = stream.map { $0.id } ?? Identifier(high: 0, low: 0)
        let last = try await pool.use { session in
            let full = try session.row(
                "SELECT stream FROM ledger.entries WHERE stream > $1 ORDER BY stream, version OFFSET $2 LIMIT 1",
                [.uuid(first), .int8(max(events, 1) - 1)]
            ) { try $0.uuid(0) }
            return try full
                ?? session.row(
                    "SELECT stream FROM ledger.entries WHERE stream > $1 ORDER BY stream DESC LIMIT 1", [.uuid(first)]
                ) { try $0.uuid(0) }
        }
        return last.map { StreamRange(after: stream, through: StreamID($0)) }
    }

    package func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        try await pool.use { session in
            try session.query(
                """
                SELECT \(EntryColumns.list) FROM ledger.entries
                WHERE ($1::uuid IS NULL OR stream > $1) AND stream <= $2 ORDER BY stream, version
                """, [.ifPresent(range.after) { .uuid($0.id) }, .uuid(range.through.id)], EntryColumns.read)
        }
    }
}

extension PostgresMirror: RowReader, RowScan {
    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        try await pool.use { session in
            try session.query(
                """
                SELECT \(RowColumns.list) FROM ledger.appointments
                WHERE ($1::uuid IS NULL OR appointment > $1) AND appointment <= $2 ORDER BY appointment
                """, [.ifPresent(range.after) { .uuid($0.id) }, .uuid(range.through.id)]
            ) { try RowColumns.read($0) }
        }
    }

    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        try await pool.use { session in
            try session.row(
                "SELECT \(RowColumns.list) FROM ledger.appointments WHERE appointment = $1",
                [.uuid(appointment.id)]
            ) { try RowColumns.read($0) }
        }
    }

    package func appointments(in range: StreamRange) async throws(EventStoreError) -> [AppointmentID] {
        try await pool.use { session in
            try session.query(
                """
                SELECT appointment FROM ledger.appointments
                WHERE ($1::uuid IS NULL OR appointment > $1) AND appointment <= $2 ORDER BY appointment
                """, [.ifPresent(range.after) { .uuid($0.id) }, .uuid(range.through.id)]
            ) { AppointmentID(try $0.uuid(0)) }
        }
    }
}

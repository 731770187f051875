package import Appointments
package import EventStore
package import Projections

extension PostgresMirror {
    package func places(after position: Int, limit: Int) async throws(EventStoreError) -> [MirroredPlace] {
        try await pool.use { session in
            try session.query(
                """
                SELECT position, stream, version, leaf FROM ledger.entries WHERE position > $1
                ORDER BY position LIMIT $2
                """, [.int8(position), .int8(max(limit, 0))]
            ) { row in
                MirroredPlace(
                    position: try row.int(0),
                    place: EventPlace(stream: StreamID(try row.uuid(1)), version: try row.int(2)),
                    leaf: try row.hash(3))
            }
        }
    }

    package func mend(_ entries: [RecordedEvent], removing positions: [Int]) async throws(EventStoreError) {
        do throws(EventStoreError) {
            try await pool.transaction { session in
                // Workers wait meanwhile.
                try session.row("SELECT position FROM ledger.head FOR UPDATE") { _ in }
                if !positions.isEmpty { try Self.remove(positions, in: session) }
                try session.copyIn("ledger.entries (\(EntryColumns.list))") { writer in
                    for event in entries {
                        try writer.row { try EntryColumns.write(event, at: event.position ?? 0, to: &$0) }
                    }
                }
                if !positions.isEmpty {
                    try session.execute(
                        "DELETE FROM ledger.conflicts USING ledger.entries WHERE conflicts.leaf = entries.leaf")
                    try session.run("SET LOCAL ROLE NONE")
                }
            }
        } catch {
            guard error.postgres?.sqlState == "42501" else { throw error }
            throw EventStoreError(
                .invalid,
                message: """
                    this login may fill holes of the mirror and replace nothing: let RDS_USERNAME_LEDGER name a member \
                    of ledger_owner for the repair
                    """, cause: error)
        }
    }

    /// Takes entries away. Only the owner may, and only with the triggers laid aside, within this transaction.
    private static func remove(_ positions: [Int], in session: PostgresSession) throws {
        try session.run(
            """
            SET LOCAL ROLE ledger_owner;
            ALTER TABLE ledger.entries DISABLE TRIGGER entries_never_change;
            ALTER TABLE ledger.entries DISABLE TRIGGER an_entry_never_changes
            """)
        try session.execute(
            "DELETE FROM ledger.entries WHERE position = ANY ($1)", [.array(positions.map { .int8($0) })])
        try session.run(
            """
            ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
            ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes
            """)
    }

    package func mend(_ rows: [AppointmentID: AppointmentRow?]) async throws(EventStoreError) {
        let written = rows.values.compactMap { $0 }
        try await pool.transaction { session in
            try session.row("SELECT position FROM ledger.head FOR UPDATE") { _ in }
            try session.execute(
                "DELETE FROM ledger.appointments WHERE appointment = ANY ($1)",
                [.array(rows.keys.sorted().map { .uuid($0.id) })])
            try Self.put(written, in: session)
        }
    }
}

// MARK: - Scans

extension PostgresMirror: StreamScan, RowScan {
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

    package func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey] {
        try await pool.use { session in
            try session.query(
                """
                SELECT appointment FROM ledger.appointments
                WHERE ($1::uuid IS NULL OR appointment > $1) AND appointment <= $2 ORDER BY appointment
                """, [.ifPresent(range.after) { .uuid($0.id) }, .uuid(range.through.id)]
            ) { .appointment(AppointmentID(try $0.uuid(0))) }
        }
    }
}

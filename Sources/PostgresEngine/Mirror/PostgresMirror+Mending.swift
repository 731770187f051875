package import Appointments
package import EventStore
package import Projections
import TransparencyLog

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

    package func mend(
        _ entries: [RecordedEvent], removing places: [MirroredPlace]
    ) async throws(EventStoreError) -> Bool {
        do throws(EventStoreError) {
            return try await mending { session in
                // Workers wait meanwhile.
                try session.row("SELECT position FROM ledger.head FOR UPDATE") { _ in }
                guard try Self.stand(places, in: session) else { return false }
                if places.isEmpty {
                    try Self.put(entries, in: session)
                } else {
                    try Self.asOwner(session) {
                        // The leaves from the first of them on are others then: the tree is made anew from there.
                        let first = places.map(\.position).min() ?? 1
                        let tree = try Self.cutTree(to: max(first - 1, 0), in: session)
                        try Self.movingBack(session) {
                            try session.execute("UPDATE ledger.head SET tree = $1", [.bytes(tree.bytes)])
                        }
                        try Self.remove(places, in: session)
                        try Self.put(entries, in: session)
                        try session.execute(
                            "DELETE FROM ledger.conflicts USING ledger.entries WHERE conflicts.leaf = entries.leaf")
                    }
                }
                return true
            }
        } catch {
            // Something stands where nothing was seen.
            if error.postgres?.sqlState == "23505", error.postgres?.table == "entries" { return false }
            throw error
        }
    }

    package func cut(
        _ places: [MirroredPlace], expecting state: MirrorState
    ) async throws(EventStoreError) -> Bool {
        try await mending { session in
            guard try Self.state(in: session, locked: true) == state, try Self.stand(places, in: session) else {
                return false
            }
            try Self.asOwner(session) {
                let tree = try Self.cutTree(to: (places.map(\.position).min() ?? state.position + 1) - 1, in: session)
                try Self.remove(places, in: session)
                try Self.movingBack(session) {
                    try session.execute(
                        """
                        UPDATE ledger.head
                        SET position = (SELECT coalesce(max(position), 0) FROM ledger.entries), tree = $1
                        """, [.bytes(tree.bytes)])
                }
            }
            return true
        }
    }

    /// A transaction of a repair.
    ///
    /// - Throws: `invalid`, with what to do, where only the owner may.
    func mending<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresSession) throws -> Value
    ) async throws(EventStoreError) -> Value {
        do throws(EventStoreError) { return try await pool.transaction { try body($0) } } catch {
            guard error.postgres?.sqlState == "42501" else { throw error }
            throw EventStoreError(
                .invalid,
                message: """
                    this login may fill holes of the mirror and replace nothing: let RDS_USERNAME_LEDGER name a member \
                    of ledger_owner for the repair
                    """, cause: error)
        }
    }

    /// Whether entries stand where they were seen.
    private static func stand(_ places: [MirroredPlace], in session: PostgresSession) throws -> Bool {
        if places.isEmpty { return true }
        let count = try session.row(
            """
            SELECT count(*) FROM unnest($1::bigint[], $2::bytea[]) AS seen (position, leaf)
            JOIN ledger.entries USING (position, leaf)
            """, [.array(places.map { .int8($0.position) }), .array(places.map { .hash($0.leaf) })]
        ) { try $0.int(0) }
        return count == places.count
    }

    static func asOwner(_ session: PostgresSession, _ body: () throws -> Void) throws {
        try session.run("SET LOCAL ROLE ledger_owner")
        try body()
        try session.run("SET LOCAL ROLE NONE")
    }

    private static func put(_ entries: [RecordedEvent], in session: PostgresSession) throws {
        if entries.isEmpty { return }
        try session.copyIn("ledger.entries (\(EntryColumns.list))") { writer in
            for event in entries {
                try writer.row { try EntryColumns.write(event, at: event.position ?? 0, to: &$0) }
            }
        }
    }

    /// Takes entries away. Only the owner may, and only with the triggers laid aside, within this transaction.
    private static func remove(_ places: [MirroredPlace], in session: PostgresSession) throws {
        if places.isEmpty { return }
        try deleting(session) {
            try session.execute(
                "DELETE FROM ledger.entries WHERE position = ANY ($1)", [.array(places.map { .int8($0.position) })])
        }
    }

    static func deleting(_ session: PostgresSession, _ body: () throws -> Void) throws {
        try layingAside(["entries_never_change", "an_entry_never_changes"], of: "ledger.entries", session, body)
    }

    /// Does what some triggers refuse, within this transaction.
    static func layingAside(
        _ triggers: [String], of table: String, _ session: PostgresSession, _ body: () throws -> Void
    ) throws {
        for trigger in triggers { try session.run("ALTER TABLE \(table) DISABLE TRIGGER \(trigger)") }
        try body()
        for trigger in triggers { try session.run("ALTER TABLE \(table) ENABLE ALWAYS TRIGGER \(trigger)") }
    }

    package func mend(_ rows: [AppointmentID: MirroredFold]) async throws(EventStoreError) -> Set<AppointmentID> {
        let wanted = rows.sorted { $0.key < $1.key }
        return try await pool.transaction { session in
            // Workers wait meanwhile.
            try session.row("SELECT position FROM ledger.head FOR UPDATE") { _ in }
            let moved = Set(
                try session.query(
                    """
                    SELECT appointment FROM unnest($1::uuid[], $2::integer[]) AS folded (appointment, version)
                    WHERE version <> coalesce(
                        (SELECT max(entry.version) FROM ledger.entries AS entry WHERE stream = appointment), 0)
                    """,
                    [.array(wanted.map { .uuid($0.key.id) }), .array(wanted.map { .int4($0.value.version) })]
                ) { AppointmentID(try $0.uuid(0)) })
            let still = wanted.filter { !moved.contains($0.key) }
            try session.execute(
                "DELETE FROM ledger.appointments WHERE appointment = ANY ($1)",
                [.array(still.map { .uuid($0.key.id) })])
            try Self.put(still.compactMap(\.value.row), in: session)
            return moved
        }
    }

    package func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey] {
        try await appointments(in: range).map(RowKey.appointment)
    }
}

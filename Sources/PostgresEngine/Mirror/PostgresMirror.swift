import Appointments
package import EventStore
package import Projections
import TransparencyLog

/// The mirror in PostgreSQL, in the tables of `migrations/ledger`.
///
/// A worker locks the head row, compares it with what it read when it began, and writes entries, rows, conflicts and
/// checkpoint in one transaction: one that another was faster than is fenced off. The database itself refuses an entry
/// that does not hash to its leaf, a hole between positions, and a place that is taken.
package final class PostgresMirror: MirrorStore {
    let pool: PostgresPool

    /// - Parameter pool: sessions at the ledger's database, as `ledger_mirror` or a role with its rights.
    package init(_ pool: PostgresPool) { self.pool = pool }

    package func state() async throws(EventStoreError) -> MirrorState {
        try await pool.use { try Self.state(in: $0, locked: false) }
    }

    package func streams(
        _ streams: [StreamID]
    ) async throws(EventStoreError) -> [StreamID: MirroredStream] {
        if streams.isEmpty { return [:] }
        return try await pool.use { session in
            let held = try session.query(
                """
                SELECT wanted.stream, head.version, head.leaf, \(RowColumns.list(of: "row"))
                FROM unnest($1::uuid[]) AS wanted (stream)
                CROSS JOIN LATERAL (
                    SELECT version, leaf FROM ledger.entries AS entry
                    WHERE entry.stream = wanted.stream ORDER BY version DESC LIMIT 1
                ) AS head
                LEFT JOIN ledger.appointments AS row ON row.appointment = wanted.stream
                """, [.array(streams.map { .uuid($0.id) })]
            ) { row in
                (
                    StreamID(try row.uuid(0)),
                    MirroredStream(
                        head: StreamHead(version: try row.int(1), leaf: try row.hash(2)),
                        row: row.isNull(3) ? nil : try RowColumns.read(row, from: 3))
                )
            }
            return Dictionary(held) { first, _ in first }
        }
    }

    package func entries(at places: [EventPlace]) async throws(EventStoreError) -> [EventPlace: MirroredEntry] {
        if places.isEmpty { return [:] }
        return try await pool.use { try Self.entries(at: places, in: $0) }
    }

    package func append(
        _ batch: MirrorBatch, expecting state: MirrorState
    ) async throws(EventStoreError) -> Bool {
        do throws(EventStoreError) {
            return try await write(batch, expecting: state) { session in
                try Self.copy(batch.entries, behind: state, in: session)
                try Self.copy(batch.rows, begunBy: batch.entries, in: session)
                return batch.entries.map(\.leaf)
            }
        } catch {
            // Something is in a place that the streams' heads did not show: compare entry by entry.
            guard let refusal = error.postgres, refusal.sqlState == "23505",
                refusal.table == "entries" || refusal.table == "appointments"
            else { throw error }
            return try await write(batch, expecting: state) { session in
                if !batch.entries.isEmpty { try Self.merge(batch.entries, behind: state, in: session) }
                try Self.put(batch.rows, in: session)
                let arrived = HashRange(level: 0, start: state.position, count: batch.entries.count)
                return try MirrorTree.leaves(arrived, in: session)
            }
        }
    }

    package func conflicts(limit: Int) async throws(EventStoreError) -> [MirrorConflict] {
        try await pool.use { session in
            try session.query(
                "SELECT at, position, leaf, entry, sealed, reason FROM ledger.conflicts ORDER BY id LIMIT $1",
                [.int8(max(limit, 0))]
            ) { row in
                let sealed = try row.ifPresent(4, row.bytes).map(SealedJSON.decode) ?? [:]
                return MirrorConflict(
                    event: RecordedEvent(
                        position: try row.ifPresent(1, row.int), entry: try Entry(try row.bytes(3)),
                        leaf: try row.hash(2), sealed: sealed),
                    reason: try row.text(5), at: try row.moment(0))
            }
        }
    }
}

extension PostgresMirror {
    package func conflictCount() async throws(EventStoreError) -> Int {
        try await pool.use { try $0.row("SELECT count(*) FROM ledger.conflicts") { try $0.int(0) } ?? 0 }
    }
}

// MARK: - Filling

extension PostgresMirror {
    /// Runs work that fills the mirror. An empty one is filled without the indexes that only readers need, and gets
    /// them in the end: kept up row by row, they cost more than all else together.
    ///
    /// - Throws: what the work throws; `unavailable`.
    package func fill(_ work: () async throws(EventStoreError) -> Void) async throws(EventStoreError) {
        if try await state().position == 0 {
            try await pool.use { try $0.run("SELECT ledger.drop_indexes()") }
        }
        do throws(EventStoreError) {
            try await work()
        } catch {
            try? await buildIndexes()
            throw error
        }
        try await buildIndexes()
        try await pool.use { session in
            try session.limitStatements(toMilliseconds: 0)
            try session.run("SELECT ledger.gather_statistics()")
        }
    }

    /// Builds the indexes of readers that are not there, such as those that a process took away and did not live to
    /// build again.
    package func buildIndexes() async throws(EventStoreError) {
        try await pool.use { session in
            try session.limitStatements(toMilliseconds: 0)
            try session.run("SELECT ledger.build_indexes()")
        }
    }
}

// MARK: - Writing

extension PostgresMirror {
    static func state(in session: PostgresSession, locked: Bool) throws -> MirrorState {
        try head(in: session, locked: locked).state
    }

    /// The head row: how far the mirror has come, and the edge of its tree, nil when what is stored is none.
    static func head(in session: PostgresSession, locked: Bool) throws -> (state: MirrorState, tree: Frontier?) {
        let sql = "SELECT position, checkpoint, ledger, epoch, tree FROM ledger.head" + (locked ? " FOR UPDATE" : "")
        let head = try session.row(sql) { row in
            let owner = try row.ifPresent(2, row.uuid).map { LedgerIdentity(id: $0, epoch: try row.int(3)) }
            let state = MirrorState(position: try row.int(0), checkpoint: try row.int(1), owner: owner)
            return (state, Frontier(bytes: try row.bytes(4)))
        }
        guard let head else {
            throw EventStoreError(.corrupt, message: "the mirror has lost its head row: restore a backup of it")
        }
        return head
    }

    /// Writes a batch in one transaction, entries and rows by `insert`; false when the mirror was moved.
    ///
    /// - Parameter insert: gives the leaves of the entries that it has put after the head, in their order.
    private func write(
        _ batch: MirrorBatch, expecting state: MirrorState,
        insert: @escaping @Sendable (PostgresSession) throws -> [Hash]
    ) async throws(EventStoreError) -> Bool {
        try await pool.transaction { session in
            let (held, stored) = try Self.head(in: session, locked: true)
            guard held == state else { return false }
            var tree = MirrorTree(stored, position: state.position)
            try tree?.catchUp(to: state.position, limit: MirrorTree.catchUp, in: session)
            let asked = batch.placesAsked
            let there = asked.isEmpty ? [:] : try Self.entries(at: asked, in: session)
            guard batch.isFounded({ there[$0]?.leaf }) else { return false }
            try batch.requireChain { there[$0]?.leaf }
            let leaves = try insert(session)
            if tree?.frontier.size == state.position { tree?.append(leaves) }
            try tree?.writeTiles(in: session)
            try Self.keep(batch.conflicts, in: session)
            // The position has moved with the entries.
            try session.execute(
                "UPDATE ledger.head SET checkpoint = $1, moved = clock_timestamp(), tree = coalesce($2, tree)",
                [.int8(batch.checkpoint), .ifPresent(tree) { .bytes($0.frontier.bytes) }])
            return true
        }
    }

    private static func entries(
        at places: [EventPlace], in session: PostgresSession
    ) throws -> [EventPlace: MirroredEntry] {
        let entries = try session.query(
            """
            SELECT stream, version, position, leaf
            FROM unnest($1::uuid[], $2::integer[]) AS wanted (stream, version)
            JOIN ledger.entries USING (stream, version)
            """, [.array(places.map { .uuid($0.stream.id) }), .array(places.map { .int4($0.version) })]
        ) { row in
            (
                EventPlace(stream: StreamID(try row.uuid(0)), version: try row.int(1)),
                MirroredEntry(position: try row.int(2), leaf: try row.hash(3))
            )
        }
        return Dictionary(entries) { first, _ in first }
    }

    /// Copies entries straight to their places: the way of all that is well.
    private static func copy(
        _ entries: [RecordedEvent], behind state: MirrorState, in session: PostgresSession
    ) throws {
        if entries.isEmpty { return }
        try session.copyIn("ledger.entries (\(EntryColumns.list))") { writer in
            for index in entries.indices {
                try writer.row { try EntryColumns.write(entries[index], at: state.position + 1 + index, to: &$0) }
            }
        }
    }

    /// Copies the rows of appointments that begin with these entries straight to their places, and writes the others
    /// over what is there.
    private static func copy(
        _ rows: [AppointmentRow], begunBy entries: [RecordedEvent], in session: PostgresSession
    ) throws {
        var begun: Set<StreamID> = []
        for index in entries.indices where entries[index].version == 1 { begun.insert(entries[index].stream) }
        let first = rows.filter { begun.contains($0.appointment.stream) }
        if !first.isEmpty {
            try session.copyIn("ledger.appointments (\(RowColumns.list))") { writer in
                for row in first { try writer.row(RowColumns.values(of: row)) }
            }
        }
        if first.count < rows.count {
            try put(rows.filter { !begun.contains($0.appointment.stream) }, in: session)
        }
    }

    /// Copies entries next to the others and takes over those whose place is free. One in a place that is taken is a
    /// duplicate when its hash is that of the one there; with another hash it is kept as a conflict.
    private static func merge(
        _ entries: [RecordedEvent], behind state: MirrorState, in session: PostgresSession
    ) throws {
        try session.run("CREATE TEMPORARY TABLE IF NOT EXISTS arrivals (LIKE ledger.entries) ON COMMIT DELETE ROWS")
        try session.copyIn("arrivals (\(EntryColumns.list))") { writer in
            for (offset, event) in entries.enumerated() {
                try writer.row { try EntryColumns.write(event, at: offset, to: &$0) }
            }
        }
        // The streams of which something is in another's place.
        let aside = """
            SELECT arrival.stream FROM arrivals AS arrival JOIN ledger.entries AS held USING (stream, version)
            WHERE held.leaf <> arrival.leaf
            """
        let isHeld = """
            EXISTS (SELECT FROM ledger.entries AS held
                WHERE held.stream = arrival.stream AND held.version = arrival.version AND held.leaf = arrival.leaf)
            """
        try session.execute(
            """
            INSERT INTO ledger.conflicts (at, stream, version, leaf, entry, sealed, reason)
            SELECT arrival.at, stream, version, leaf, entry, sealed, $1
            FROM arrivals AS arrival WHERE stream IN (\(aside)) AND NOT \(isHeld)
            ORDER BY position ON CONFLICT (leaf) DO NOTHING
            """, [.text(MirrorConflict.taken)])
        try session.execute(
            """
            INSERT INTO ledger.entries (\(EntryColumns.list))
            SELECT $1 + row_number() OVER (ORDER BY position), \(EntryColumns.withoutPosition)
            FROM arrivals AS arrival WHERE stream NOT IN (\(aside)) AND NOT \(isHeld)
            """, [.int8(state.position)])
    }

    /// Writes the rows that moved on.
    static func put(_ rows: [AppointmentRow], in session: PostgresSession) throws {
        if rows.isEmpty { return }
        try session.run(
            "CREATE TEMPORARY TABLE IF NOT EXISTS moved (LIKE ledger.appointments) ON COMMIT DELETE ROWS")
        try session.copyIn("moved (\(RowColumns.list))") { writer in
            for row in rows { try writer.row(RowColumns.values(of: row)) }
        }
        try session.execute(
            """
            INSERT INTO ledger.appointments AS held (\(RowColumns.list)) SELECT \(RowColumns.list) FROM moved
            ON CONFLICT (appointment) DO UPDATE SET \(RowColumns.assignments) WHERE held.version <= excluded.version
            """)
    }

    private static func keep(_ conflicts: [MirrorConflict], in session: PostgresSession) throws {
        for conflict in conflicts {
            let event = conflict.event
            try session.execute(
                """
                INSERT INTO ledger.conflicts (at, position, stream, version, leaf, entry, sealed, reason)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (leaf) DO NOTHING
                """,
                [
                    .moment(conflict.at), .ifPresent(event.position) { .int8($0) }, .uuid(event.stream.id),
                    .int4(event.version), .hash(event.leaf), .bytes(event.entry.bytes),
                    .ifPresent(SealedJSON.encode(event.sealed)) { .bytes($0) }, .text(conflict.reason),
                ])
        }
    }
}

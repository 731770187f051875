package import Appointments
package import EventStore
import GRDB
package import Projections

/// The appointments view in SQLite, with its checkpoints and parked events.
package final class SQLiteAppointmentView: AppointmentView {
    let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        try await file.read { try Self.row(appointment, in: $0) }
    }

    package func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await read(filter) { database in
            var query = Self.query("SELECT \(Self.columns) FROM appointments", filter)
            if let place {
                query.require(
                    "(created, appointment) < (?, ?)", place.createdAt.milliseconds, place.appointment.blob)
            }
            query.sql += " ORDER BY created DESC, appointment DESC LIMIT ? OFFSET ?"
            query.arguments += [max(limit, 0), max(offset, 0)]
            return try database.stored(query.sql, query.arguments, Self.row)
        }
    }

    package func count(_ filter: RowFilter) async throws(EventStoreError) -> Int {
        try await read(filter) { database in
            let query = Self.query("SELECT count(*) FROM appointments", filter)
            return try database.row(query.sql, query.arguments) { $0[0] } ?? 0
        }
    }

    package func counts() async throws(EventStoreError) -> [RowCount] {
        let counts = try await file.scan { database in
            try database.rows("SELECT country, status, count(*) FROM appointments GROUP BY country, status") {
                RowCount(country: try $0.value(0), status: try $0.value(1), count: $0[2])
            }
        }
        return Country.allCases.flatMap { country in
            AppointmentStatus.allCases.compactMap { status in
                counts.first { $0.country == country && $0.status == status }
            }
        }
    }

    package func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await file.scan { database in
            var query = Self.query("SELECT \(Self.columns) FROM appointments", RowFilter(status: status))
            query.require("(updated <= ? OR updated > ?)", quiet.since.milliseconds, quiet.beyond.milliseconds)
            if let place {
                query.require(
                    "(created, appointment) > (?, ?)", place.createdAt.milliseconds, place.appointment.blob)
            }
            query.sql += " ORDER BY created, appointment LIMIT ?"
            query.arguments += [max(limit, 0)]
            return try database.stored(query.sql, query.arguments, Self.row)
        }
    }

    /// One person's rows are few; any other filter may pass over many.
    private func read<Value: Sendable>(
        _ filter: RowFilter, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(EventStoreError) -> Value {
        filter.insured == nil ? try await file.scan(body) : try await file.read(body)
    }

    private static func query(_ sql: String, _ filter: RowFilter) -> Query {
        var query = Query(sql)
        query.require("insured = ?", filter.insured?.digits)
        query.require("status = ?", filter.status?.rawValue)
        query.require("country = ?", filter.country?.code)
        query.require("created >= ?", filter.from?.milliseconds)
        query.require("created <= ?", filter.to?.milliseconds)
        return query
    }
}

// MARK: - Rows

extension SQLiteAppointmentView {
    static let columns = """
        appointment, insured, country, schedule, created, status, updated, processed, center, specialty, medic, date, \
        reason, message, version, leaf
        """

    /// The name of the live table.
    static let live = "appointments"

    static func row(
        _ appointment: AppointmentID, of table: String = live, in database: Database
    ) throws -> AppointmentRow? {
        try database.stored("SELECT \(columns) FROM \(table) WHERE appointment = ?", [appointment.blob], row).first
    }

    static func row(_ row: StoredRow) throws -> AppointmentRow {
        guard let schedule = ScheduleID(Int64(row.integer(3))) else { throw row.damaged(3) }
        var insured: InsuredID?
        if !row.isNull(1) {
            insured = InsuredID(row.text(1))
            if insured == nil { throw row.damaged(1) }
        }
        return AppointmentRow(
            appointment: AppointmentID(try row.identifier(0)), insured: insured, country: try row.value(2),
            schedule: schedule, createdAt: row.moment(4), status: try row.value(5), updatedAt: row.moment(6),
            processedAt: row.isNull(7) ? nil : row.moment(7), slot: try slot(of: row, schedule),
            failure: try row.isWhole(12...13) ? .init(reason: try row.value(12), message: row.text(13)) : nil,
            version: row.integer(14), leaf: try row.hash(15))
    }

    private static func slot(of row: StoredRow, _ schedule: ScheduleID) throws -> Slot? {
        guard try row.isWhole(8...11) else { return nil }
        return Slot(
            schedule: schedule, center: Int64(row.integer(8)), specialty: Int64(row.integer(9)),
            medic: Int64(row.integer(10)), date: row.moment(11))
    }

    /// Writes rows that are new.
    static func insert(
        _ rows: some Sequence<AppointmentRow>, into table: String = live, in database: Database
    ) throws {
        try database.run(
            "INSERT INTO \(table) (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", forEach: rows
        ) { row, binding in
            binding.set(1, row.appointment.id)
            binding.set(2, row.insured?.digits)
            binding.set(3, row.country.code)
            binding.set(4, row.schedule.number)
            binding.set(5, row.createdAt.milliseconds)
            binding.set(6, row.status.rawValue)
            binding.set(7, row.updatedAt.milliseconds)
            binding.set(8, row.processedAt?.milliseconds)
            binding.set(9, row.slot?.center)
            binding.set(10, row.slot?.specialty)
            binding.set(11, row.slot?.medic)
            binding.set(12, row.slot?.date.milliseconds)
            binding.set(13, row.failure?.reason.rawValue)
            binding.set(14, row.failure?.message)
            binding.set(15, Int64(row.version))
            row.leaf.withBytes { binding.set(16, $0) }
        }
    }

    /// Writes a row that is new.
    static func insert(_ row: AppointmentRow, into table: String = live, in database: Database) throws {
        try insert(CollectionOfOne(row), into: table, in: database)
    }

    /// Writes what changed from one row of an appointment to its next. Columns that never change, and the status where
    /// it stayed, are left out, so that their indexes are not touched.
    static func update(
        _ row: AppointmentRow, from old: AppointmentRow, of table: String = live, in database: Database
    ) throws {
        if row.status == old.status {
            return try database.run(
                "UPDATE \(table) SET updated = ?, version = ?, leaf = ? WHERE appointment = ?",
                [row.updatedAt.milliseconds, row.version, row.leaf.blob, row.appointment.blob])
        }
        try database.run(
            """
            UPDATE \(table) SET status = ?, updated = ?, processed = ?, center = ?, specialty = ?, medic = ?,
                date = ?, reason = ?, message = ?, version = ?, leaf = ?
            WHERE appointment = ?
            """,
            [
                row.status.rawValue, row.updatedAt.milliseconds, row.processedAt?.milliseconds, row.slot?.center,
                row.slot?.specialty, row.slot?.medic, row.slot?.date.milliseconds, row.failure?.reason.rawValue,
                row.failure?.message, row.version, row.leaf.blob, row.appointment.blob,
            ])
    }

    /// Takes events in that are appended in the same transaction. What the view can't take in is parked; the append
    /// goes on.
    static func follow(
        _ recorded: [RecordedEvent], _ placed: [StreamHead.Placed], in database: Database
    ) throws {
        guard let first = recorded.first else { return }
        let appointment = first.stream.appointment
        let old = first.version == 1 ? nil : try row(appointment, in: database)
        var new = old
        for (event, placed) in zip(recorded, placed) {
            do throws(EventStoreError) {
                guard new?.version ?? 0 == event.version - 1 else {
                    throw EventStoreError(.corrupt, message: "waits behind a parked event")
                }
                let insured = placed.personal.first { $0.reference.field == "insured" }.flatMap { InsuredID($0.clear) }
                new = try AppointmentProjection.project(event, onto: new, insured: insured)
            } catch {
                try park(
                    ParkedEvent(
                        appointment: appointment, version: event.version, reason: error.message, at: event.entry.at),
                    by: ProjectionRunner.projection, in: database)
            }
        }
        guard let new, new != old else { return }
        if let old { try update(new, from: old, in: database) } else { try insert(new, in: database) }
    }
}

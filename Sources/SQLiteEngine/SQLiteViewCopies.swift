package import Appointments
package import EventStore
import GRDB
package import Projections

/// Sets of the view's tables in SQLite. A swap renames two tables in one transaction, so a server that runs on the same
/// file goes on: its readers see the old or the new set, and its appends write to whichever is live.
package final class SQLiteViewCopies: ViewCopies {
    let file: SQLiteFile
    private let keys: PersonKeys

    /// The most events that a swap takes in while it holds the write lock.
    private static let lastEvents = 2000

    package init(_ file: SQLiteFile, keys: PersonKeys) { (self.file, self.keys) = (file, keys) }

    /// With keys that nobody else remembers.
    package convenience init(_ file: SQLiteFile, keys: KeyRing) { self.init(file, keys: PersonKeys(keys)) }

    package func sets() async throws(EventStoreError) -> [ViewCopy] {
        try await file.read { try Self.sets(in: $0) }
    }

    package func begin(
        _ name: String, of projection: ConsumerName, head: Int, now: Timestamp
    ) async throws(EventStoreError) -> ViewCopy {
        try ViewCopy.check(name)
        try await clear()
        return try await file.write { writing in
            let database = writing.database
            if let there = try Self.set(name, in: database), there.projection == projection { return there }
            try Self.discard(name, in: database)
            let set = ViewCopy(name: name, projection: projection, began: head, at: now)
            try database.execute(sql: Schema.appointmentTable(Self.table(name)))
            try Self.put(set, in: database)
            return set
        }
    }

    package func fill(
        _ set: ViewCopy, with rows: [AppointmentRow], through stream: StreamID, events: Int
    ) async throws(EventStoreError) -> ViewCopy {
        try await file.write { writing in
            let database = writing.database
            guard try Self.set(set.name, in: database) == set else { throw ViewCopy.moved(set.name) }
            let table = Self.table(set.name)
            try SQLiteAppointmentView.insert(rows, into: table, in: database)
            var next = set
            (next.through, next.events) = (stream, set.events + events)
            try Self.put(next, in: database)
            return next
        }
    }

    package func seal(_ set: ViewCopy) async throws(EventStoreError) {
        // One index a transaction: nobody has to wait for all of them.
        for (column, sql) in Schema.appointmentIndexes(Self.table(set.name), mark: "\(set.at.milliseconds)") {
            _ = try await file.write { writing in
                guard try Self.set(set.name, in: writing.database) == set else { throw ViewCopy.moved(set.name) }
                try writing.database.execute(sql: sql)
                return column
            }
        }
        try await file.write { writing in
            var whole = set
            whole.position = set.began
            try Self.put(whole, in: writing.database)
        }
    }

    package func follow(
        _ name: String, with projection: Projection, limit: Int
    ) async throws(EventStoreError) -> Int {
        try await file.write { [keys] writing in
            try Self.follow(name, with: projection, keys, limit: limit, in: writing.database)
        }
    }

    package func swap(
        _ name: String, with projection: Projection, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome {
        if let kept { try ViewCopy.check(kept) }
        try await clear()
        let outcome: SwapOutcome = try await file.write { [keys] writing in
            let database = writing.database
            let live = try Self.liveProjection(named: projection.name, in: database)
            if live == projection.name, let since = try SQLiteAppointmentView.pausedAt(live, in: database) {
                return .held(since: since)
            }
            let last = try Self.follow(name, with: projection, keys, limit: Self.lastEvents, in: database)
            if last == Self.lastEvents { return .behind }
            guard let set = try Self.set(name, in: database), let position = set.position else {
                throw ViewCopy.unknown(name)
            }
            let uncovered = try Self.uncovered(by: set.name, in: database)
            if coversAll, uncovered > 0 { return .uncovered(rows: uncovered) }
            try Self.exchange(set, live: live, keepingAs: kept, now: now, in: database)
            if live != projection.name { try Self.hold(live, for: projection.name, now: now, in: database) }
            try SQLiteAppointmentView.moveCheckpoint(of: projection.name, to: position, in: database)
            try database.run(
                """
                DELETE FROM parked WHERE projection = ? AND version <=
                    (SELECT version FROM appointments WHERE appointments.appointment = parked.appointment)
                """, [projection.name.description])
            writing.viewCame(to: position)
            return .swapped(position: position)
        }
        try await clear()
        return outcome
    }

    package func mend(
        _ appointment: AppointmentID, with row: AppointmentRow?, of projection: ConsumerName
    ) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            let database = writing.database
            let head = try SQLiteEventStore.head(of: appointment.stream, in: database)
            guard head.version == row?.version ?? 0 else { return false }
            try database.run("DELETE FROM appointments WHERE appointment = ?", [appointment.blob])
            if let row { try SQLiteAppointmentView.insert(row, in: database) }
            try database.run(
                "DELETE FROM parked WHERE projection = ? AND appointment = ? AND version <= ?",
                [projection.description, appointment.blob, row?.version ?? .max])
            return true
        }
    }

    package func drop(_ name: String) async throws(EventStoreError) -> Bool {
        try await clear()
        let isThere = try await file.write { writing in
            let isThere = try Self.set(name, in: writing.database) != nil
            try Self.discard(name, in: writing.database)
            return isThere
        }
        try await clear()
        return isThere
    }
}

// MARK: - Within a transaction

extension SQLiteViewCopies {
    /// The table of a set. Names are checked before they come here.
    static func table(_ name: String) -> String { "appointments_set_\(name)" }

    private static let columns = "name, projection, number, began, through, events, position, at, moved"

    static func sets(in database: Database) throws -> [ViewCopy] {
        try database.rows("SELECT \(columns) FROM view_sets ORDER BY name", [], set)
    }

    static func set(_ name: String, in database: Database) throws -> ViewCopy? {
        try database.row("SELECT \(columns) FROM view_sets WHERE name = ?", [name], set)
    }

    private static func set(_ row: Row) throws -> ViewCopy {
        ViewCopy(
            name: row[0], projection: ConsumerName(row[1], number: row[2]), began: row[3],
            through: row.hasNull(atIndex: 4) ? nil : StreamID(try row.identifier(4)), events: row[5], position: row[6],
            at: row.moment(7), moved: row.momentIfPresent(8))
    }

    private static func put(_ set: ViewCopy, in database: Database) throws {
        try database.run(
            """
            INSERT OR REPLACE INTO view_sets (\(columns))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, \(SQLiteAppointmentView.moment))
            """,
            [
                set.name, set.projection.name, set.projection.number, set.began, set.through?.id.blob, set.events,
                set.position, set.at.milliseconds,
            ])
    }

    /// Takes in the next events; gives how many there were.
    private static func follow(
        _ name: String, with projection: Projection, _ keys: PersonKeys, limit: Int, in database: Database
    ) throws -> Int {
        guard var set = try set(name, in: database), let position = set.position else { throw ViewCopy.unknown(name) }
        let table = table(name)
        let events = try SQLiteEventStore.events(after: position, limit: limit, in: database)
        for event in events {
            let old = try SQLiteAppointmentView.row(event.stream.appointment, of: table, in: database)
            let subject = try event.insuredSubject.flatMap { try SQLiteSubjectDirectory.subject($0, in: database) }
            let insured = try subject.flatMap { try keys.insured(of: event, $0) }
            if let new = try projection.next(event, onto: old, insured: insured) {
                if let old {
                    try SQLiteAppointmentView.update(new, from: old, of: table, in: database)
                } else {
                    try SQLiteAppointmentView.insert(new, into: table, in: database)
                }
            }
            set.position = event.position
        }
        if !events.isEmpty { try put(set, in: database) }
        return events.count
    }

    /// How many rows of the live set the other one lacks, or has in an older state.
    private static func uncovered(by name: String, in database: Database) throws -> Int {
        try database.row(
            """
            SELECT count(*) FROM appointments AS live LEFT JOIN \(table(name)) AS other USING (appointment)
            WHERE other.appointment IS NULL OR other.version < live.version
            """
        ) { $0[0] } ?? 0
    }

    /// The projection whose rows are live: of those that share a name, the one that is not held.
    private static func liveProjection(
        named name: ConsumerName, in database: Database
    ) throws -> ConsumerName {
        let others = try database.rows("SELECT projection FROM checkpoints") { ConsumerName($0[0] as String) }
        return try others.compactMap(\.self).first {
            try $0.name == name.name && SQLiteAppointmentView.pausedAt($0, in: database) == nil
        } ?? name
    }

    /// Holds the projection of another number, so that a program that knows no better writes no row of its into these
    /// tables.
    private static func hold(
        _ old: ConsumerName, for new: ConsumerName, now: Timestamp, in database: Database
    ) throws {
        try database.run("DELETE FROM paused WHERE projection = ?", [new.description])
        try database.run("INSERT OR IGNORE INTO paused VALUES (?, ?)", [old.description, now.milliseconds])
    }

    private static func exchange(
        _ set: ViewCopy, live: ConsumerName, keepingAs kept: String?, now: Timestamp, in database: Database
    ) throws {
        let checkpoint = try SQLiteAppointmentView.checkpoint(of: live, in: database)
        // Both names are free in between, because the set that is put in place may be the kept one itself.
        try database.execute(
            sql: """
                ALTER TABLE \(table(set.name)) RENAME TO appointments_coming;
                ALTER TABLE appointments RENAME TO appointments_leaving;
                ALTER TABLE appointments_coming RENAME TO appointments;
                """)
        try database.run("DELETE FROM view_sets WHERE name = ?", [set.name])
        guard let kept else { return try discard(table: "appointments_leaving", in: database) }
        try discard(kept, in: database)
        try database.execute(sql: "ALTER TABLE appointments_leaving RENAME TO \(table(kept))")
        try put(
            ViewCopy(
                name: kept, projection: live, began: checkpoint, events: checkpoint, position: checkpoint,
                at: now), in: database)
    }
}

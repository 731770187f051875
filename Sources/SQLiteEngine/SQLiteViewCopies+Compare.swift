import Appointments
package import EventStore
import Foundation
import GRDB
package import Projections

extension SQLiteViewCopies {
    package func compare(_ name: String, limit: Int) async throws(EventStoreError) -> SetComparison {
        try await file.scan { database in
            guard let set = try Self.set(name, in: database), let position = set.position else {
                throw ViewCopy.unknown(name)
            }
            let moving = try database.rows("SELECT DISTINCT stream FROM events WHERE position > ?", [position]) {
                AppointmentID(try $0.identifier(0))
            }
            var comparison = Comparison(
                table: Self.table(name), moving: Set(moving), limit: limit, database: database)
            return try comparison.run()
        }
    }
}

extension SQLiteAppointmentView: RowScan {
    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        try await file.scan { database in
            let query = Self.query(Self.columns, range)
            return try database.stored(query.sql, query.arguments, Self.row)
        }
    }

    package func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey] {
        try await file.scan { database in
            let query = Self.query("appointment", range)
            return try database.stored(query.sql, query.arguments) { row in
                let bytes = row.bytes(0)
                return Identifier(raw: bytes).map { .appointment(AppointmentID($0)) } ?? .stray(Self.name(bytes))
            }
        }
    }

    /// The rows of a range. Ids of another length may stand before the first and after the last one that is 16 bytes.
    private static func query(_ columns: String, _ range: StreamRange) -> Query {
        var query = Query("SELECT \(columns) FROM appointments")
        query.require("appointment > ?", range.after?.id.blob)
        query.require("appointment <= ?", range.isRest ? nil : range.through.id.blob)
        query.sql += " ORDER BY appointment"
        return query
    }

    /// The name of an id that no program writes: its bytes in hexadecimal.
    private static func name(_ bytes: UnsafeRawBufferPointer) -> String {
        "0x" + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}

extension SQLiteViewCopies {
    package func removeStray(_ key: String) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            try writing.database.run(
                "DELETE FROM appointments WHERE length(appointment) <> 16 AND '0x' || lower(hex(appointment)) = ?",
                [key])
            return writing.database.changesCount > 0
        }
    }
}

/// The rows of two tables side by side, both in the order of ids.
private struct Comparison {
    let table: String
    let moving: Set<AppointmentID>
    let limit: Int
    let database: Database
    var found = SetComparison()

    /// Every column but the id. NULL is equal to NULL.
    private static let differs = SQLiteAppointmentView.columns.split(separator: ", ").dropFirst()
        .map { "other.\($0) IS NOT live.\($0)" }.joined(separator: " OR ")

    mutating func run() throws -> SetComparison {
        let rows = try database.row("SELECT count(*) FROM \(table)") { $0[0] as Int } ?? 0
        try collect(
            .added,
            """
            SELECT other.appointment FROM \(table) AS other LEFT JOIN appointments AS live USING (appointment)
            WHERE live.appointment IS NULL
            """)
        try collect(
            .missing,
            """
            SELECT live.appointment FROM appointments AS live LEFT JOIN \(table) AS other USING (appointment)
            WHERE other.appointment IS NULL
            """)
        try collect(
            .changed,
            """
            SELECT other.appointment FROM \(table) AS other JOIN appointments AS live USING (appointment)
            WHERE \(Self.differs)
            """)
        found.equal = rows - (found.counts[.added] ?? 0) - (found.counts[.changed] ?? 0)
        return found
    }

    private mutating func collect(_ kind: RowDifference.Kind, _ sql: String) throws {
        // The order of the outer table, so that the first ones are the same each time.
        let cursor = try Row.fetchCursor(database, sql: sql + " ORDER BY 1")
        while let row = try cursor.next() {
            guard let bytes = try row.withUnsafeData(atIndex: 0, { $0.map(Array.init) }),
                let id = Identifier(bytes: bytes).map(AppointmentID.init(_:))
            else {
                // An id that no program writes: no row of a rebuild has it.
                found.counts[kind, default: 0] += 1
                continue
            }
            if moving.contains(id) { continue }
            // A live row that can't be read is a difference like any other.
            let live = try? SQLiteAppointmentView.row(id, in: database)
            let rebuilt = try SQLiteAppointmentView.row(id, of: table, in: database)
            found.add(RowDifference(kind, id, live: live, rebuilt: rebuilt), limit: limit)
        }
    }
}

package import EventStore
import Foundation
import GRDB
package import Handlers

/// Who looked at the events, in SQLite.
package final class SQLiteAuditTrail: AuditTrail {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    package func record(_ access: AuditAccess) async throws(EventStoreError) {
        try await file.write { writing in
            try writing.database.run(
                "INSERT INTO audit_access (at, caller, filters, rows) VALUES (?, ?, ?, ?)",
                [
                    access.at.milliseconds, access.caller, String(decoding: access.filters, as: UTF8.self),
                    access.rows,
                ])
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AuditAccess] {
        try await file.read { database in
            var query = Query("SELECT at, caller, filters, rows FROM audit_access")
            query.require("caller = ?", filter.caller)
            query.require("at >= ?", filter.from?.milliseconds)
            query.require("at <= ?", filter.to?.milliseconds)
            query.sql += " ORDER BY id DESC LIMIT ?"
            query.arguments += [max(limit, 0)]
            return try database.rows(query.sql, query.arguments) {
                AuditAccess(at: $0.moment(0), caller: $0[1], filters: Array(($0[2] as String).utf8), rows: $0[3])
            }
        }
    }
}

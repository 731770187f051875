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

    package func accesses(limit: Int) async throws(EventStoreError) -> [AuditAccess] {
        try await file.read { database in
            try database.rows(
                "SELECT at, caller, filters, rows FROM audit_access ORDER BY id DESC LIMIT ?", [max(limit, 0)]
            ) { AuditAccess(at: $0.moment(0), caller: $0[1], filters: Array(($0[2] as String).utf8), rows: $0[3]) }
        }
    }
}

package import EventStore
package import Handlers

/// Who looked at the events, in `ledger.audit_access`.
package final class PostgresAuditTrail: AuditTrail {
    private let pool: PostgresPool

    package init(_ pool: PostgresPool) { self.pool = pool }

    package func record(_ access: AuditAccess) async throws(EventStoreError) {
        try await pool.use { session in
            try session.execute(
                "INSERT INTO ledger.audit_access (at, caller, filters, rows) VALUES ($1, $2, $3, $4)",
                [.moment(access.at), .text(access.caller), .json(access.filters), .int4(access.rows)])
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AuditAccess] {
        try await pool.use { session in
            // The object as it was given, not as jsonb prints it.
            try session.query(
                """
                SELECT at, caller, filters, rows FROM ledger.audit_access
                WHERE ($1::text IS NULL OR caller = $1) AND at >= coalesce($2::timestamptz, '-infinity')
                    AND at <= coalesce($3::timestamptz, 'infinity')
                ORDER BY id DESC LIMIT $4
                """,
                [
                    .ifPresent(filter.caller) { .text($0) }, .ifPresent(filter.from) { .moment($0) },
                    .ifPresent(filter.to) { .moment($0) }, .int8(max(limit, 0)),
                ]
            ) {
                AuditAccess(
                    at: try $0.moment(0), caller: try $0.text(1), filters: try $0.json(2), rows: try $0.int(3))
            }
        }
    }
}

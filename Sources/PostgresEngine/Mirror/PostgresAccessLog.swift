package import EventStore

/// Who looked at the events, in `ledger.audit_access`.
package final class PostgresAccessLog: AccessLog {
    private let pool: PostgresPool

    /// What its chain is called.
    private static let name = "accesses"

    package init(_ pool: PostgresPool) { self.pool = pool }

    package func record(_ access: AccessRecord) async throws(EventStoreError) {
        try await pool.use { session in
            try session.execute(
                "INSERT INTO ledger.audit_access (at, caller, filters, rows) VALUES ($1, $2, $3, $4)",
                [.moment(access.at), .text(access.caller), .json(access.filters), .int4(access.rows)])
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AccessRecord] {
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
                AccessRecord(
                    at: try $0.moment(0), caller: try $0.text(1), filters: try $0.json(2), rows: try $0.int(3))
            }
        }
    }
}

extension PostgresAccessLog: ChainedRecords {
    package var chainName: String { Self.name }

    package func chain() async throws(EventStoreError) -> RecordChain {
        let chain = try await pool.use { session in
            try session.row("SELECT count, hash FROM ledger.record_chains WHERE name = $1", [.text(Self.name)]) {
                RecordChain(count: try $0.int(0), end: try $0.hash(1))
            }
        }
        guard let chain else {
            throw EventStoreError(
                .corrupt, message: "the end of the chain of \(Self.name) is gone from the mirror: restore a backup")
        }
        return chain
    }

    package func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord] {
        try await pool.use { session in
            // As the trigger hashes them: moments to the microsecond, and the object as jsonb prints it.
            try session.query(
                """
                SELECT a.number, a.number::text, ((extract(epoch FROM a.at) * 1000000)::bigint)::text, a.caller,
                    a.filters::text, a.rows::text, a.hash
                FROM ledger.audit_access AS a WHERE a.number > $1 ORDER BY a.number LIMIT $2
                """, [.int8(number ?? .min), .int8(limit)]
            ) { row in
                ChainedRecord(
                    number: try row.int(0), fields: try (1...5).map { try row.text($0) },
                    hash: Hash(bytes: try row.bytes(6)))
            }
        }
    }
}

package import EventStore
import Projections

extension PostgresMirror: EventFeed, StreamReader, AuditLog {
    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await pool.use { session in
            try session.query(
                """
                SELECT \(EntryColumns.list) FROM ledger.entries WHERE position > $1 ORDER BY position LIMIT $2
                """, [.int8(position), .int8(max(limit, 0))], EntryColumns.read)
        }
    }

    package func head() async throws(EventStoreError) -> Int { try await state().position }

    package func positionsOutside() async throws(EventStoreError) -> [Int] {
        // One statement sees one snapshot: entries move the head along.
        try await pool.use { session in
            try session.query(
                """
                SELECT position FROM ledger.entries
                WHERE position < 1 OR position > (SELECT position FROM ledger.head) ORDER BY position LIMIT 100
                """
            ) { try $0.int(0) }
        }
    }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await pool.use { session in
            try session.query(
                """
                SELECT \(EntryColumns.list) FROM ledger.entries WHERE stream = $1 AND version >= $2 ORDER BY version
                """, [.uuid(stream.id), .int8(version)], EntryColumns.read)
        }
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        if filter.streams?.isEmpty == true { return [] }
        return try await pool.use { session in
            var query = Self.query(filter, after: position, limit: limit)
            if filter.from != nil || filter.to != nil {
                guard let bounds = try Self.bounds(of: filter, in: session) else { return [] }
                query.narrow(to: bounds)
            }
            return try session.query(query.sql, query.parameters, EntryColumns.read)
        }
    }

    package func counts() async throws(EventStoreError) -> [EventCount] {
        try await pool.use { session in
            try session.query(
                "SELECT type, country, count(*) FROM ledger.entries GROUP BY type, country ORDER BY type, country"
            ) { EventCount(type: try $0.text(0), country: try $0.text(1), count: try $0.int(2)) }
        }
    }

    /// The positions that events of the filter's time can have; nil when there are none.
    package static func bounds(of filter: EventFilter, in session: PostgresSession) throws -> ClosedRange<Int>? {
        let bounds = try session.row(
            "SELECT first, last FROM ledger.bounds($1, $2)",
            [.ifPresent(filter.from) { .moment($0) }, .ifPresent(filter.to) { .moment($0) }]
        ) { (try $0.int(0), try $0.int(1)) }
        guard let (first, last) = bounds, first <= last else { return nil }
        return first...last
    }

    /// The statement for the events that a filter wants. Its conditions are of a closed set, and every value is a
    /// parameter.
    package static func query(_ filter: EventFilter, after position: Int, limit: Int) -> AuditStatement {
        var query = AuditStatement()
        query.require("position >", .int8(position))
        query.require("type =", .ifPresent(filter.type) { .text($0) })
        query.require("country =", .ifPresent(filter.country) { .text($0) })
        query.require("actor =", .ifPresent(filter.actor) { .text($0) })
        query.require("correlation =", .ifPresent(filter.correlation) { .text($0) })
        query.require("at >=", .ifPresent(filter.from) { .moment($0) })
        query.require("at <=", .ifPresent(filter.to) { .moment($0) })
        if let streams = filter.streams {
            query.require("stream = ANY", .array(streams.sorted().map { .uuid($0.id) }))
        }
        query.limit = max(limit, 0)
        return query
    }
}

/// A page of audited events as a statement.
package struct AuditStatement: Sendable {
    private var conditions: [String] = []
    package private(set) var parameters: [PostgresValue] = []
    var limit = 0

    /// Adds a condition, unless its value is null.
    mutating func require(_ condition: String, _ value: PostgresValue) {
        if case .null = value { return }
        parameters.append(value)
        conditions.append("\(condition) ($\(parameters.count))")
    }

    /// Looks only where events of the wanted time can be: the planner does not know that positions follow time.
    package mutating func narrow(to positions: ClosedRange<Int>) {
        require("position >=", .int8(positions.lowerBound))
        require("position <=", .int8(positions.upperBound))
    }

    package var sql: String {
        """
        SELECT \(EntryColumns.list) FROM ledger.entries WHERE \(conditions.joined(separator: " AND ")) \
        ORDER BY position LIMIT \(limit)
        """
    }
}

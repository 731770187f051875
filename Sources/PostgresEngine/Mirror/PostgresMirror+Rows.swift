package import Appointments
package import EventStore
package import Projections

extension PostgresMirror: AppointmentViews {
    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        try await pool.use { session in
            try session.row(
                "SELECT \(RowColumns.list) FROM ledger.appointments WHERE appointment = $1",
                [.uuid(appointment.id)]
            ) { try RowColumns.read($0) }
        }
    }

    package func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        if appointments.isEmpty { return [:] }
        let rows = try await pool.use { session in
            try session.query(
                "SELECT \(RowColumns.list) FROM ledger.appointments WHERE appointment = ANY ($1)",
                [.array(appointments.map { .uuid($0.id) })]
            ) { try RowColumns.read($0) }
        }
        return Dictionary(rows.map { ($0.appointment, $0) }) { first, _ in first }
    }

    package func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        var query = RowStatement(filter)
        if let place { query.require("(created, appointment) < ", place) }
        return try await query.rows(
            of: pool, order: "created DESC, appointment DESC", offset: max(offset, 0), limit: max(limit, 0))
    }

    package func count(_ filter: RowFilter) async throws(EventStoreError) -> Int {
        let query = RowStatement(filter)
        return try await pool.use { session in
            try session.row("SELECT count(*) FROM ledger.appointments\(query.clause)", query.parameters) {
                try $0.int(0)
            } ?? 0
        }
    }

    package func counts() async throws(EventStoreError) -> [RowCount] {
        let counts = try await pool.use { session in
            try session.query("SELECT country, status, count(*) FROM ledger.appointments GROUP BY country, status") {
                (try $0.text(0), try $0.text(1), try $0.int(2))
            }
        }
        return Country.allCases.flatMap { country in
            AppointmentStatus.allCases.compactMap { status in
                counts.first { $0.0 == country.rawValue && $0.1 == status.rawValue }.map {
                    RowCount(country: country, status: status, count: $0.2)
                }
            }
        }
    }

    package func idle(
        _ status: AppointmentStatus, since moment: Timestamp, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        var query = RowStatement(RowFilter(status: status))
        query.require("updated <=", .moment(moment))
        if let place { query.require("(created, appointment) > ", place) }
        return try await query.rows(of: pool, order: "created, appointment", offset: 0, limit: max(limit, 0))
    }
}

/// The rows that are wanted, as conditions with parameters.
private struct RowStatement {
    private var conditions: [String] = []
    private(set) var parameters: [PostgresValue] = []

    init(_ filter: RowFilter) {
        require("insured =", .ifPresent(filter.insured) { .text($0.digits) })
        require("status =", .ifPresent(filter.status) { .text($0.rawValue) })
        require("country =", .ifPresent(filter.country) { .text($0.code) })
        require("created >=", .ifPresent(filter.from) { .moment($0) })
        require("created <=", .ifPresent(filter.to) { .moment($0) })
    }

    mutating func require(_ condition: String, _ value: PostgresValue) {
        if case .null = value { return }
        parameters.append(value)
        conditions.append("\(condition) $\(parameters.count)")
    }

    mutating func require(_ condition: String, _ place: RowPlace) {
        parameters += [.moment(place.createdAt), .uuid(place.appointment.id)]
        conditions.append("\(condition)($\(parameters.count - 1), $\(parameters.count))")
    }

    var clause: String { conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ") }

    func rows(
        of pool: PostgresPool, order: String, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        let (sql, parameters) = (
            """
            SELECT \(RowColumns.list) FROM ledger.appointments\(clause) ORDER BY \(order) \
            LIMIT \(limit) OFFSET \(offset)
            """, parameters
        )
        return try await pool.use { session in try session.query(sql, parameters) { try RowColumns.read($0) } }
    }
}

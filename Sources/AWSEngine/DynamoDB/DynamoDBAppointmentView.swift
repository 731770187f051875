package import Appointments
package import EventStore
package import Projections

/// The appointments view in DynamoDB, and what its consumers remember.
///
/// The lists come from the indexes, which follow the table after a moment; single rows are read from the table itself.
package struct DynamoDBAppointmentView: Sendable {
    let client: AWSClient
    let rows: DynamoDBTable
    let memory: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        self.client = client
        rows = DynamoDBTable(client: client, name: tables.appointments)
        memory = DynamoDBTable(client: client, name: tables.projections)
    }
}

extension DynamoDBAppointmentView: AppointmentView {
    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        guard let item = try await rows.item({ $0.attribute("appointmentId", text: appointment.description) }) else {
            return nil
        }
        return try row(item)
    }

    package func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        guard limit > 0 else { return [] }
        let (skipped, overflow) = (max(offset, 0), max(offset, 0) > Int.max - limit)
        let wanted = overflow ? Int.max : skipped + limit
        var found: [AppointmentRow] = []
        for var query in RowQuery.all(filter) {
            query.to = min(query.to, place?.createdAt ?? query.to)
            found += try await list(query, atMost: wanted) { row in place.map { row.place > $0 } ?? true }
        }
        return Array(found.sorted { $0.place < $1.place }.dropFirst(skipped).prefix(limit))
    }

    package func count(_ filter: RowFilter) async throws(EventStoreError) -> Int {
        var count = 0
        for query in RowQuery.all(filter) where query.from <= query.to {
            try await rows.pages("Query") { writer in
                query.write(&writer)
                writer.member("Select", "COUNT")
            } until: { (_, answer) throws(EventStoreError) in
                count += Int(answer["Count"]?.whole ?? 0)
                return false
            }
        }
        return count
    }

    package func counts() async throws(EventStoreError) -> [RowCount] {
        var counts: [RowCount] = []
        for country in Country.allCases {
            var tally: [AppointmentStatus: Int] = [:]
            for query in RowQuery.all(RowFilter(country: country)) {
                try await rows.pages("Query") { writer in
                    query.write(&writer)
                } until: { (items, _) throws(EventStoreError) in
                    for item in items { tally[try row(item).status, default: 0] += 1 }
                    return false
                }
            }
            counts += AppointmentStatus.allCases.compactMap { status in
                tally[status].map { RowCount(country: country, status: status, count: $0) }
            }
        }
        return counts
    }

    package func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        guard limit > 0, var query = RowQuery.all(RowFilter(status: status)).first else { return [] }
        query.isAscending = true
        query.from = max(query.from, place?.createdAt ?? query.from)
        query.quiet = quiet
        let found = try await list(query, atMost: limit) { row in place.map { row.place < $0 } ?? true }
        return Array(found.sorted { $0.place > $1.place }.prefix(limit))
    }

    /// Rows of one index in its order, at least `count` of them where there are so many.
    ///
    /// An index orders rows of one millisecond in no way: all of them are read, so that the caller can.
    private func list(
        _ query: RowQuery, atMost count: Int, where isWanted: (AppointmentRow) -> Bool
    ) async throws(EventStoreError) -> [AppointmentRow] {
        guard query.from <= query.to else { return [] }
        var found: [AppointmentRow] = []
        try await rows.pages("Query") { writer in
            query.write(&writer)
            writer.member("Limit", min(count, 1000) + 1)
        } until: { (items, _) throws(EventStoreError) in
            for item in items {
                let row = try row(item)
                if found.count >= count, row.createdAt != found[count - 1].createdAt { return true }
                if isWanted(row) { found.append(row) }
            }
            return false
        }
        return found
    }
}

/// A question to one of the view's indexes.
struct RowQuery {
    /// `insuredId`, `status` or `countryISO`, and the value that all rows have.
    let key: (attribute: String, value: String)
    var conditions: [(attribute: String, value: String)] = []
    var from: Timestamp
    var to: Timestamp
    var quiet: Quiet?
    var isAscending = false

    /// The questions whose answers together are the rows that a filter wants, each row in one of them.
    static func all(_ filter: RowFilter) -> [RowQuery] {
        let (from, to) = (
            filter.from ?? Timestamp(milliseconds: Timestamp.bounds.lowerBound),
            filter.to ?? Timestamp(milliseconds: Timestamp.bounds.upperBound)
        )
        var conditions = [
            filter.insured.map { ("insuredId", $0.digits) }, filter.status.map { ("status", $0.rawValue) },
            filter.country.map { ("countryISO", $0.code) },
        ].compactMap(\.self)
        // Without a condition every row is in one of the countries.
        if conditions.isEmpty {
            return Country.allCases.map { RowQuery(key: ("countryISO", $0.code), from: from, to: to) }
        }
        let key = conditions.removeFirst()
        return [RowQuery(key: key, conditions: conditions, from: from, to: to)]
    }

    func write(_ writer: inout JSONWriter) {
        writer.member("IndexName", "\(key.attribute)-createdAt-index")
        writer.member("KeyConditionExpression", "#key = :key AND createdAt BETWEEN :from AND :to")
        var filters = conditions.indices.map { "#c\($0) = :c\($0)" }
        if quiet != nil { filters.append("(updatedAt <= :since OR updatedAt > :beyond)") }
        if !filters.isEmpty { writer.member("FilterExpression", filters.joined(separator: " AND ")) }
        // `status` is a word of DynamoDB's own.
        writer.member("ExpressionAttributeNames") { writer in
            writer.object { writer in
                writer.member("#key", key.attribute)
                for (place, condition) in conditions.enumerated() { writer.member("#c\(place)", condition.attribute) }
            }
        }
        writer.member("ExpressionAttributeValues") { writer in
            writer.object { writer in
                writer.attribute(":key", text: key.value)
                writer.attribute(":from", text: from.description)
                writer.attribute(":to", text: to.description)
                for (place, condition) in conditions.enumerated() {
                    writer.attribute(":c\(place)", text: condition.value)
                }
                if let quiet {
                    writer.attribute(":since", text: quiet.since.description)
                    writer.attribute(":beyond", text: quiet.beyond.description)
                }
            }
        }
        writer.member("ScanIndexForward") { $0.boolean(isAscending) }
    }
}

package import Appointments
package import EventStore
package import Projections

/// Checkpoints and parked events: items of one table, under the name of their projection.
extension DynamoDBAppointmentView: ConsumerStore {
    static let checkpoint = "checkpoint"
    /// DynamoDB's limit of a transaction.
    private static let transactionLimit = 100

    package func checkpoint(of projection: ConsumerName) async throws(EventStoreError) -> Int {
        let item = try await memory.item { Self.key(projection, Self.checkpoint, &$0) }
        do throws(Item.Damage) {
            return Int(try item?.number("reached") ?? 0)
        } catch {
            throw .damaged(memory.name, error)
        }
    }

    package func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        let keys = Set(appointments).sorted().map(Self.key)
        var found: [AppointmentID: AppointmentRow] = [:]
        for item in try await rows.items(keys) {
            let row = try row(item)
            found[row.appointment] = row
        }
        return found
    }

    package func commit(
        _ commit: ProjectionCommit, of projection: ConsumerName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool {
        var changes = Self.changes(commit.rows, commit.parked, projection)
        guard changes.count < Self.transactionLimit else {
            throw EventStoreError(
                .invalid,
                message: "\(changes.count) changes do not fit into a transaction: take in at most 50 events at once")
        }
        while true {
            let writes = [Change.checkpoint(commit.checkpoint, expecting: checkpoint, projection)] + changes
            do throws(AWSError) {
                _ = try await client.call(.dynamoDB, "TransactWriteItems") { writer in
                    writer.member("TransactItems") { writer in
                        writer.array { writer in for change in writes { self.write(change, &writer) } }
                    }
                }
                return true
            } catch {
                let failed = error.cancellationReasons.map { $0["Code"]?.text == "ConditionalCheckFailed" }
                guard error.isRefused("TransactionCanceledException"), failed.count == writes.count,
                    failed.contains(true)
                else { throw error.asStoreError }
                // The writer may be this very call, whose answer was lost; a repetition takes in the same events.
                if failed[0] { return false }
                // A row of a later version stays, and so does the first reason of a parked event.
                changes = zip(changes, failed.dropFirst()).filter { !$1 }.map(\.0)
            }
        }
    }

    package func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName
    ) async throws(EventStoreError) {
        // Rows first: an appointment that is parked before its earlier events are in its row would stay parked.
        for change in Self.changes(rows, parked, projection) {
            switch change {
            case .row(let row):
                _ = try await self.rows.put(
                    { Self.write(row, &$0) }, if: Self.rowCondition, values: { Self.rowValues(row, &$0) })
            case .parked(let event, let projection):
                _ = try await memory.put({ Self.write(event, projection, &$0) }, if: Self.isNew)
            case .checkpoint: break
            }
        }
    }

    package func parked(by projection: ConsumerName) async throws(EventStoreError) -> [ParkedEvent] {
        Self.firsts(try await parked(by: projection, prefix: "parked#"))
    }

    /// The first of each appointment, by appointment.
    static func firsts(_ events: [ParkedEvent]) -> [ParkedEvent] {
        var first: [AppointmentID: ParkedEvent] = [:]
        for event in events where first[event.appointment] == nil { first[event.appointment] = event }
        return first.values.sorted { $0.appointment < $1.appointment }
    }

    package func unpark(
        _ appointment: AppointmentID, upTo version: Int, from projection: ConsumerName
    ) async throws(EventStoreError) {
        for event in try await parked(by: projection, prefix: "parked#\(appointment)#") where event.version <= version {
            _ = try await memory.delete { Self.key(projection, Self.name(event), &$0) }
        }
    }

    /// The parked events under a prefix, by appointment and version.
    func parked(
        by projection: ConsumerName, prefix: String
    ) async throws(EventStoreError) -> [ParkedEvent] {
        let items = try await items(of: projection, "begins_with(itemId, :from)") {
            $0.attribute(":from", text: prefix)
        }
        do throws(Item.Damage) {
            return try items.map { item throws(Item.Damage) in try Self.parked(item) }
        } catch {
            throw .damaged(memory.name, error)
        }
    }

    /// What is kept of a projection, by the names of its items.
    ///
    /// - Parameters:
    ///   - condition: which items.
    ///   - values: writes the values that it names.
    func items(
        of projection: ConsumerName, _ condition: String, values: (inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> [Item] {
        var found: [Item] = []
        try await memory.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :projection AND \(condition)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { writer in
                    writer.attribute(":projection", text: projection.description)
                    values(&writer)
                }
            }
        } until: { (items, _) throws(EventStoreError) in
            found += items
            return false
        }
        return found
    }
}

// MARK: - Items

extension DynamoDBAppointmentView {
    /// One write of a commit.
    private enum Change {
        case checkpoint(Int, expecting: Int, ConsumerName)
        case row(AppointmentRow)
        case parked(ParkedEvent, ConsumerName)
    }

    /// The writes of a commit. A transaction may name an item once only: the first reason of a parked event stands.
    private static func changes(
        _ rows: [AppointmentRow], _ parked: [ParkedEvent], _ projection: ConsumerName
    ) -> [Change] {
        var seen: Set<String> = []
        return rows.map(Change.row)
            + parked.filter { seen.insert(name($0)).inserted }.map { .parked($0, projection) }
    }

    static let isNew = "attribute_not_exists(projectionId)"
    static let rowCondition = "attribute_not_exists(appointmentId) OR version <= :version"

    static func rowValues(_ row: AppointmentRow, _ writer: inout JSONWriter) {
        writer.attribute(":version", number: row.version)
    }

    /// The key of a row.
    static func key(_ appointment: AppointmentID) -> JSONValue {
        .object([("appointmentId", .object([("S", .string(appointment.description))]))])
    }

    static func key(_ projection: ConsumerName, _ item: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: projection.description)
        writer.attribute("itemId", text: item)
    }

    /// Versions are written with leading zeros, so that items are in their order.
    static func name(_ event: ParkedEvent) -> String {
        let digits = String(event.version)
        return "parked#\(event.appointment)#\(String(repeating: "0", count: max(0, 12 - digits.count)))\(digits)"
    }

    private static func write(_ event: ParkedEvent, _ projection: ConsumerName, _ writer: inout JSONWriter) {
        key(projection, name(event), &writer)
        writer.attribute("appointmentId", text: event.appointment.description)
        writer.attribute("version", number: event.version)
        writer.attribute("reason", text: event.reason)
        writer.attribute("at", text: event.at.description)
    }

    static func parked(_ item: Item) throws(Item.Damage) -> ParkedEvent {
        ParkedEvent(
            appointment: try item.value("appointmentId") { AppointmentID($0) },
            version: Int(try item.number("version")), reason: try item.text("reason"),
            at: try item.value("at") { Timestamp($0) })
    }

    private func write(_ change: Change, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Put") { writer in
                writer.object { writer in
                    switch change {
                    case .checkpoint(let position, let expected, let projection):
                        writer.member("TableName", memory.name)
                        writer.member("Item") { writer in
                            writer.object {
                                Self.key(projection, Self.checkpoint, &$0)
                                $0.attribute("reached", number: position)
                            }
                        }
                        let isFirst = expected == 0
                        writer.member(
                            "ConditionExpression", (isFirst ? "\(Self.isNew) OR " : "") + "reached = :expected")
                        writer.member("ExpressionAttributeValues") { writer in
                            writer.object { $0.attribute(":expected", number: expected) }
                        }
                    case .row(let row):
                        writer.member("TableName", rows.name)
                        writer.member("Item") { $0.object { Self.write(row, &$0) } }
                        writer.member("ConditionExpression", Self.rowCondition)
                        writer.member("ExpressionAttributeValues") { $0.object { Self.rowValues(row, &$0) } }
                    case .parked(let event, let projection):
                        writer.member("TableName", memory.name)
                        writer.member("Item") { $0.object { Self.write(event, projection, &$0) } }
                        writer.member("ConditionExpression", Self.isNew)
                    }
                }
            }
        }
    }
}

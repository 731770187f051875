import Appointments
import EventStore
import Projections

/// A set as it is remembered: its mark, and under which number its rows are kept.
struct SetRecord: Sendable {
    var set: ViewCopy
    /// The rows of one generation are one set's. A name can be given again while old rows are still being taken away.
    let generation: Int
    /// Goes up with every change: whoever read another one is not to write.
    var revision: Int
    /// The generation that the old live rows are saved to by a swap of this set that has begun.
    var keeping: Int?

    func changed(_ change: (inout ViewCopy) -> Void) -> SetRecord {
        var next = self
        change(&next.set)
        next.revision += 1
        return next
    }
}

/// The records and rows of sets, in the table of projections.
struct SetRecords: Sendable {
    let table: DynamoDBTable
    let now: @Sendable () -> Timestamp

    private static let id = "sets"
    /// No set has a name like this.
    private static let counter = "#generation"
    /// A partition takes about 1,000 writes a second: the rows of a set are spread over so many.
    static let shards = 16

    private static func key(_ item: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: id)
        writer.attribute("itemId", text: item)
    }

    // MARK: Records

    func all() async throws(EventStoreError) -> [SetRecord] {
        var records: [SetRecord] = []
        try await table.pages("Query") { writer in
            Self.select(Self.id, &writer)
        } until: { (items, _) throws(EventStoreError) in
            for item in items where (try? item.text("itemId")) != Self.counter { records.append(try read(item)) }
            return false
        }
        return records
    }

    func record(_ name: String) async throws(EventStoreError) -> SetRecord? {
        guard let item = try await table.item({ Self.key(name, &$0) }) else { return nil }
        return try read(item)
    }

    /// Puts a record in the place of the one that was read; false when another worker has changed it.
    func put(_ record: SetRecord, replacing old: SetRecord?) async throws(EventStoreError) -> Bool {
        let there = try await table.put(
            { writer in
                Self.write(record, &writer)
                writer.attribute("movedAt", text: now().description)
            },
            if: old == nil ? "attribute_not_exists(projectionId)" : "revision = :old AND generation = :generation",
            values: old.map { old in
                { writer in
                    writer.attribute(":old", number: old.revision)
                    writer.attribute(":generation", number: old.generation)
                }
            })
        guard let there else { return true }
        // What stands there may be this very write, whose answer was lost.
        guard there.value["revision"] != nil else { return false }
        let found = try read(there)
        return found.set == record.set && found.generation == record.generation && found.revision == record.revision
    }

    /// Takes a set away, its rows first: a set without some of its rows folds them anew.
    func remove(_ record: SetRecord) async throws(EventStoreError) {
        try await clearRows(of: record)
        _ = try await table.delete(
            { Self.key(record.set.name, &$0) }, if: "generation = :generation",
            values: { $0.attribute(":generation", number: record.generation) })
    }

    /// Takes the rows of a set away, and those that a swap of it has saved for nobody.
    func clearRows(of record: SetRecord) async throws(EventStoreError) {
        try await clear(record.generation)
        guard let keeping = record.keeping else { return }
        if try await !all().contains(where: { $0.generation == keeping }) { try await clear(keeping) }
    }

    /// A number that no rows have.
    func newGeneration() async throws(EventStoreError) -> Int {
        let answer: JSONValue
        do throws(AWSError) {
            answer = try await table.call("UpdateItem") { writer in
                writer.member("Key") { $0.object { Self.key(Self.counter, &$0) } }
                writer.member("UpdateExpression", "ADD generation :one")
                writer.member("ExpressionAttributeValues") { writer in
                    writer.object { $0.attribute(":one", number: 1) }
                }
                writer.member("ReturnValues", "UPDATED_NEW")
            }
        } catch {
            throw error.asStoreError
        }
        do throws(Item.Damage) {
            return Int(try Item(value: answer["Attributes"] ?? .null).number("generation"))
        } catch {
            throw .damaged(table.name, error)
        }
    }
}

// MARK: - Rows

extension SetRecords {
    private static func partition(_ generation: Int, _ shard: Int) -> String { "set/\(generation)/\(shard)" }

    private static func shard(of appointment: AppointmentID) -> Int {
        Int(appointment.id.low % UInt64(shards))
    }

    static func key(_ appointment: AppointmentID, of generation: Int, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: partition(generation, shard(of: appointment)))
        writer.attribute("itemId", text: appointment.description)
    }

    /// Writes rows, whatever was in their places.
    func write(_ rows: [AppointmentRow], to generation: Int) async throws(EventStoreError) {
        try await table.carryOut(
            rows.map { row in
                DynamoDBTable.putting { writer in
                    Self.key(row.appointment, of: generation, &writer)
                    DynamoDBAppointmentView.write(row, &writer)
                }
            })
    }

    /// Writes a row where the set has none yet.
    func save(_ row: AppointmentRow, to generation: Int) async throws(EventStoreError) {
        _ = try await table.put(
            { writer in
                Self.key(row.appointment, of: generation, &writer)
                DynamoDBAppointmentView.write(row, &writer)
            }, if: "attribute_not_exists(projectionId)")
    }

    /// The version of each row.
    func versions(_ generation: Int) async throws(EventStoreError) -> [AppointmentID: Int] {
        let found = try await inOrder(Array(0..<Self.shards)) { (shard: Int) throws(EventStoreError) in
            var versions: [(AppointmentID, Int)] = []
            try await self.items(generation, shard, attributes: "itemId, version") { items throws(EventStoreError) in
                for item in items {
                    do throws(Item.Damage) {
                        let id = try item.value("itemId") { AppointmentID($0) }
                        versions.append((id, Int(try item.number("version"))))
                    } catch {
                        throw .damaged(self.table.name, error)
                    }
                }
            }
            return versions
        }
        return Dictionary(found.flatMap(\.self), uniquingKeysWith: max)
    }

    /// Takes all rows away.
    func clear(_ generation: Int) async throws(EventStoreError) {
        _ = try await inOrder(Array(0..<Self.shards)) { (shard: Int) throws(EventStoreError) in
            try await self.items(generation, shard, attributes: "projectionId, itemId") {
                items throws(EventStoreError) in
                try await self.table.carryOut(
                    items.map { item in .object([("DeleteRequest", .object([("Key", item.value)]))]) })
            }
        }
    }

    /// Gives the items of one partition page by page.
    func items(
        _ generation: Int, _ shard: Int, attributes: String? = nil,
        _ body: ([Item]) async throws(EventStoreError) -> Void
    ) async throws(EventStoreError) {
        var start: JSONValue?
        repeat {
            var page: [Item] = []
            let from = start
            try await table.pages("Query") { writer in
                Self.select(Self.partition(generation, shard), &writer)
                if let attributes { writer.member("ProjectionExpression", attributes) }
                if let from { writer.member("ExclusiveStartKey") { $0.value(from) } }
            } until: { (items, answer) throws(EventStoreError) in
                (page, start) = (items, answer["LastEvaluatedKey"])
                return true
            }
            try await body(page)
        } while start != nil
    }

    private static func select(_ id: String, _ writer: inout JSONWriter) {
        writer.member("ConsistentRead") { $0.boolean(true) }
        writer.member("KeyConditionExpression", "projectionId = :id")
        writer.member("ExpressionAttributeValues") { writer in writer.object { $0.attribute(":id", text: id) } }
    }
}

// MARK: - Items

extension SetRecords {
    private static func write(_ record: SetRecord, _ writer: inout JSONWriter) {
        key(record.set.name, &writer)
        writer.attribute("projection", text: record.set.projection.description)
        writer.attribute("began", number: record.set.began)
        if let through = record.set.through { writer.attribute("through", text: through.description) }
        writer.attribute("events", number: record.set.events)
        if let position = record.set.position { writer.attribute("position", number: position) }
        writer.attribute("at", text: record.set.at.description)
        writer.attribute("generation", number: record.generation)
        writer.attribute("revision", number: record.revision)
        if let keeping = record.keeping { writer.attribute("keeping", number: keeping) }
    }

    private func read(_ item: Item) throws(EventStoreError) -> SetRecord {
        do throws(Item.Damage) {
            let set = ViewCopy(
                name: try item.text("itemId"), projection: try item.value("projection") { ConsumerName($0) },
                began: Int(try item.number("began")),
                through: try item.ifPresent("through") { name throws(Item.Damage) in
                    try item.value(name) { StreamID($0) }
                }, events: Int(try item.number("events")), position: try whole("position", of: item),
                at: try item.value("at") { Timestamp($0) },
                moved: try item.ifPresent("movedAt") { name throws(Item.Damage) in
                    try item.value(name) { Timestamp($0) }
                })
            return SetRecord(
                set: set, generation: Int(try item.number("generation")), revision: Int(try item.number("revision")),
                keeping: try whole("keeping", of: item))
        } catch {
            throw .damaged(table.name, error)
        }
    }

    private func whole(_ name: String, of item: Item) throws(Item.Damage) -> Int? {
        try item.ifPresent(name) { name throws(Item.Damage) in Int(try item.number(name)) }
    }
}

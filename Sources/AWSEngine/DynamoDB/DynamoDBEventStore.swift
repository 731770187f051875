package import EventStore

/// The events in DynamoDB: one item an event, keyed by stream and version, and written once.
///
/// An append is one conditional put, after one consistent read unless it begins the stream; several events together are
/// one transaction. There is no order across streams: positions are nil, and the mirror gives them.
package struct DynamoDBEventStore: EventStore {
    let table: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        table = DynamoDBTable(client: client, name: tables.events)
    }

    /// DynamoDB's limit of a transaction.
    private static let maximumEvents = 100
    /// How often an append that takes any version begins anew after others.
    private static let maximumRaces = 16

    package func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        guard events.count <= Self.maximumEvents else {
            throw EventStoreError(
                .invalid, message: "an append to DynamoDB holds at most \(Self.maximumEvents) events: append in parts")
        }
        switch expectation {
        case .any: return try await append(events, to: stream)
        case .version(let version) where version > 0:
            return try await append(events, to: stream, expecting: expectation, at: version)
        case .empty, .version:
            return try await begin(events, stream, expecting: expectation)
        }
    }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await items(of: stream, from: version).map(event)
    }

    /// The items of a stream from a version on, in order.
    func items(of stream: StreamID, from version: Int) async throws(EventStoreError) -> [Item] {
        var found: [Item] = []
        try await table.pages("Query") { writer in
            Self.select(stream, from: max(version, 1), &writer)
        } until: { (items, _) throws(EventStoreError) in
            found += items
            return false
        }
        return found
    }

    /// How many events there are. It reads the whole table: for tests and operators.
    package func count() async throws(EventStoreError) -> Int {
        var count = 0
        try await table.pages("Scan") { writer in
            writer.member("Select", "COUNT")
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("FilterExpression", "streamId <> :ledger")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { $0.attribute(":ledger", text: EpochItem.stream) }
            }
        } until: { (_, answer) throws(EventStoreError) in
            count += Int(answer["Count"]?.whole ?? 0)
            return false
        }
        return count
    }
}

// MARK: - Appending

extension DynamoDBEventStore {
    /// Appends to a stream that is believed empty: nothing needs to be read unless it is not.
    private func begin(
        _ events: [NewEvent], _ stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        if case .write(let placed) = try StreamHead.empty.admit(events, to: stream, expecting: expectation) {
            let there = try await write(placed)
            if there.isEmpty { return placed.map { $0.recorded(at: nil) } }
            if there.map(\.leaf) == placed.map(\.leaf) { return there }
        }
        return try await compare(events, stream, expecting: expectation, with: try await read(stream))
    }

    /// Appends after a version, whose leaf the entry names.
    private func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation, at version: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        let stored = try await read(stream, from: version)
        guard let last = stored.last else {
            // The writer believes too much; where the stream stands belongs into the answer.
            _ = try await head(of: stream).admit(events, to: stream, expecting: expectation)
            throw EventStoreError(.unavailable, message: "\(stream) grew while it was read: append again")
        }
        let head = StreamHead(version: last.version, leaf: last.leaf)
        guard case .write(let placed) = try head.admit(events, to: stream, expecting: expectation) else {
            return try await compare(events, stream, expecting: expectation, with: stored)
        }
        let there = try await write(placed)
        if there.isEmpty { return placed.map { $0.recorded(at: nil) } }
        return try await compare(events, stream, expecting: expectation, with: stored + there)
    }

    /// Appends after whatever is there, anew each time when another writer was faster.
    private func append(
        _ events: [NewEvent], to stream: StreamID
    ) async throws(EventStoreError) -> [RecordedEvent] {
        for _ in 0..<Self.maximumRaces {
            let head = try await head(of: stream)
            guard case .write(let placed) = try head.admit(events, to: stream, expecting: .any) else { continue }
            let there = try await write(placed)
            if there.isEmpty { return placed.map { $0.recorded(at: nil) } }
            if there.map(\.leaf) == placed.map(\.leaf) { return there }
        }
        throw EventStoreError(.unavailable, message: "\(stream) is written by too many at once: append again")
    }

    /// Answers an append that found other events in its place.
    ///
    /// - Parameter stored: what is there from the expected version on, or from the beginning.
    private func compare(
        _ events: [NewEvent], _ stream: StreamID, expecting expectation: Expectation, with stored: [RecordedEvent]
    ) async throws(EventStoreError) -> [RecordedEvent] {
        guard let last = stored.last else {
            throw EventStoreError(.unavailable, message: "\(stream) was written and can't be read yet: append again")
        }
        let head = StreamHead(version: last.version, leaf: last.leaf)
        switch try head.admit(events, to: stream, expecting: expectation) {
        case .write: throw EventStoreError(.unavailable, message: "\(stream) changed while it was read: append again")
        case .compare(let version):
            return try head.resolve(
                events, to: stream, expecting: expectation, before: stored.first { $0.version == version - 1 }?.leaf,
                stored: stored.filter { $0.version >= version })
        }
    }

    /// Where a stream ends.
    func head(of stream: StreamID) async throws(EventStoreError) -> StreamHead {
        var head = StreamHead.empty
        try await table.pages("Query") { writer in
            Self.select(stream, from: 1, &writer)
            writer.member("ScanIndexForward") { $0.boolean(false) }
            writer.member("Limit", 1)
        } until: { (items, _) throws(EventStoreError) in
            if let item = items.first {
                let event = try event(item)
                head = StreamHead(version: event.version, leaf: event.leaf)
            }
            return true
        }
        return head
    }

    /// Writes events whose places are free.
    ///
    /// - Returns: the events in their places when those are taken; none when they were written.
    private func write(_ placed: [StreamHead.Placed]) async throws(EventStoreError) -> [RecordedEvent] {
        if placed.count == 1, let only = placed.first {
            guard let item = try await table.put({ Self.write(only, &$0) }, if: "attribute_not_exists(streamId)") else {
                return []
            }
            return [try event(item)]
        }
        do throws(AWSError) {
            _ = try await table.client.call(.dynamoDB, "TransactWriteItems") { writer in
                writer.member("TransactItems") { writer in
                    writer.array { writer in
                        for event in placed { put(event, &writer) }
                    }
                }
            }
            return []
        } catch {
            let items = error.cancellationReasons.compactMap { $0["Item"] }
            guard error.isRefused("TransactionCanceledException"), !items.isEmpty else { throw error.asStoreError }
            return try items.map { item throws(EventStoreError) in try event(Item(value: item)) }
        }
    }

    private func put(_ event: StreamHead.Placed, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Put") { writer in
                writer.object { writer in
                    writer.member("TableName", table.name)
                    writer.member("Item") { $0.object { Self.write(event, &$0) } }
                    writer.member("ConditionExpression", "attribute_not_exists(streamId)")
                    writer.member("ReturnValuesOnConditionCheckFailure", "ALL_OLD")
                }
            }
        }
    }
}

// MARK: - Items

extension DynamoDBEventStore {
    private static func write(_ event: StreamHead.Placed, _ writer: inout JSONWriter) {
        writer.attribute("streamId", text: event.entry.stream.description)
        writer.attribute("version", number: event.entry.version)
        writer.attribute("entry", bytes: event.entry.bytes)
        writer.attribute("leaf", bytes: event.leaf.bytes)
        writer.attribute("type", text: event.entry.type)
        writer.attribute("countryISO", text: event.entry.country)
        writer.attribute("at", text: event.entry.at.description)
        guard !event.personal.isEmpty else { return }
        writer.attribute("sealed") { writer in
            for field in event.personal { writer.attribute(field.reference.field, bytes: field.sealed) }
        }
    }

    private static func select(_ stream: StreamID, from version: Int, _ writer: inout JSONWriter) {
        writer.member("ConsistentRead") { $0.boolean(true) }
        writer.member("KeyConditionExpression", "streamId = :stream AND version >= :version")
        writer.member("ExpressionAttributeValues") { writer in
            writer.object {
                $0.attribute(":stream", text: stream.description)
                $0.attribute(":version", number: version)
            }
        }
    }

    func event(_ item: Item) throws(EventStoreError) -> RecordedEvent { try RecordedEvent(item: item) }
}

/// The key of an event among the items of the table.
struct EventKey {
    let stream: StreamID
    let version: Int

    /// Nil for an item that is no event: of no appointment, or at a version that none has.
    init?(_ item: Item) {
        guard let stream = (try? item.text("streamId")).flatMap({ StreamID($0) }),
            let version = (try? item.number("version")).flatMap({ Int32(exactly: $0) }), version > 0
        else { return nil }
        (self.stream, self.version) = (stream, Int(version))
    }
}

extension RecordedEvent {
    /// Reads an item of the events table back and checks it against its hash and its place.
    ///
    /// - Parameter position: tells the position of an event where there are any.
    /// - Throws: `corrupt`.
    init(
        item: Item, position: (StreamID, Int) -> Int? = { _, _ in nil }
    ) throws(EventStoreError) {
        let (stream, version, entry, leaf, sealed): (StreamID, Int, [UInt8], Hash, [String: [UInt8]])
        do throws(Item.Damage) {
            stream = try item.value("streamId") { StreamID($0) }
            version = Int(try item.number("version"))
            entry = try item.bytes("entry")
            guard let hash = Hash(bytes: try item.bytes("leaf")) else { throw Item.Damage(attribute: "leaf") }
            leaf = hash
            sealed = try item.bytesByName("sealed")
        } catch {
            throw .damaged("of the events", error)
        }
        try self.init(
            position: position(stream, version), stream: stream, version: version, entry: entry, leaf: leaf,
            sealed: sealed)
    }
}

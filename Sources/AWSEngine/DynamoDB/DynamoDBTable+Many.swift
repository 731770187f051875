import EventStore

/// Calls about many items together.
extension DynamoDBTable {
    /// DynamoDB's limits of a batch of reads and of a batch of writes.
    private static let readLimit = 100
    private static let writeLimit = 25
    /// In how many parts a whole table is read concurrently.
    private static let segments = 8
    /// How often what DynamoDB left over of a batch is sent again while nothing of it moves.
    private static let maximumAttempts = 12

    /// The items with some keys, as the last write left them, in no order; those that are not there are missing.
    func items(_ keys: [JSONValue]) async throws(EventStoreError) -> [Item] {
        try await inOrder(keys.inBatches(of: Self.readLimit)) { (batch: [JSONValue]) throws(EventStoreError) in
            var found: [Item] = []
            try await whole("BatchGetItem", batch) { rest, writer in
                writer.object { writer in
                    writer.member("Keys") { $0.value(.array(rest)) }
                    writer.member("ConsistentRead") { $0.boolean(true) }
                }
            } left: { answer in
                found += answer["Responses"]?[name]?.elements.map(Item.init) ?? []
                return answer["UnprocessedKeys"]?[name]?["Keys"]?.elements ?? []
            }
            return found
        }.flatMap(\.self)
    }

    /// Carries out requests made by `putting` and `deleting`, in no order and without conditions.
    func carryOut(_ requests: [JSONValue]) async throws(EventStoreError) {
        _ = try await inOrder(requests.inBatches(of: Self.writeLimit)) { (batch: [JSONValue]) throws(EventStoreError) in
            try await whole("BatchWriteItem", batch) { rest, writer in
                writer.value(.array(rest))
            } left: { answer in
                answer["UnprocessedItems"]?[name]?.elements ?? []
            }
        }
    }

    /// Sends a batch until nothing of it is left over for lack of capacity.
    private func whole(
        _ operation: String, _ batch: [JSONValue], write: ([JSONValue], inout JSONWriter) -> Void,
        left: (JSONValue) -> [JSONValue]
    ) async throws(EventStoreError) {
        var (rest, attempt) = (batch, 0)
        while !rest.isEmpty {
            let answer: JSONValue
            do throws(AWSError) {
                answer = try await client.call(.dynamoDB, operation) { writer in
                    writer.member("RequestItems") { writer in
                        writer.object { $0.member(name) { write(rest, &$0) } }
                    }
                }
            } catch {
                throw error.asStoreError
            }
            let next = left(answer)
            attempt = next.count < rest.count ? 1 : attempt + 1
            rest = next
            if rest.isEmpty { return }
            guard attempt < Self.maximumAttempts else {
                throw EventStoreError(
                    .unavailable, message: "table \(name) has no capacity for \(operation): try again later")
            }
            await client.pause(afterAttempt: attempt, of: .dynamoDB, "InternalServerError")
        }
    }

    /// A request to put an item.
    static func putting(_ item: (inout JSONWriter) -> Void) -> JSONValue {
        .object([("PutRequest", .object([("Item", .written(item))]))])
    }

    /// A request to delete the item with a key.
    static func deleting(_ key: (inout JSONWriter) -> Void) -> JSONValue {
        .object([("DeleteRequest", .object([("Key", .written(key))]))])
    }

    /// Deletes the item with a key if a condition holds.
    ///
    /// - Returns: whether it held, and, without a condition, whether there was an item.
    func delete(
        _ key: (inout JSONWriter) -> Void, if condition: String? = nil,
        values: ((inout JSONWriter) -> Void)? = nil
    ) async throws(EventStoreError) -> Bool {
        do throws(AWSError) {
            let answer = try await call("DeleteItem") { writer in
                writer.member("Key") { $0.object(key) }
                if let condition { writer.member("ConditionExpression", condition) }
                if let values { writer.member("ExpressionAttributeValues") { $0.object(values) } }
                writer.member("ReturnValues", "ALL_OLD")
            }
            return condition != nil || answer["Attributes"] != nil
        } catch {
            if error.isRefused("ConditionalCheckFailedException") { return false }
            throw error.asStoreError
        }
    }

    /// Reads the whole table in concurrent parts, as the last writes left it.
    ///
    /// - Parameter read: what to make of the items of a page.
    /// - Returns: what was made of them, in no order.
    func scan<Product: Sendable>(
        _ parameters: @escaping @Sendable (inout JSONWriter) -> Void,
        read: @escaping @Sendable ([Item]) throws(EventStoreError) -> [Product]
    ) async throws(EventStoreError) -> [Product] {
        try await inOrder(Array(0..<Self.segments)) { (segment: Int) throws(EventStoreError) in
            var products: [Product] = []
            try await pages("Scan") { writer in
                writer.member("Segment", segment)
                writer.member("TotalSegments", Self.segments)
                writer.member("ConsistentRead") { $0.boolean(true) }
                parameters(&writer)
            } until: { (items, _) throws(EventStoreError) in
                products += try read(items)
                return false
            }
            return products
        }.flatMap(\.self)
    }
}

extension Array {
    /// The elements in their order, so many together.
    func inBatches(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

extension JSONValue {
    /// An object of attributes, as it is written.
    static func written(_ attributes: (inout JSONWriter) -> Void) -> JSONValue {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.object(attributes)
        do throws(JSONError) {
            return try JSONValue(writer.bytes)
        } catch {
            preconditionFailure("what the writer writes is JSON: \(error)")
        }
    }
}

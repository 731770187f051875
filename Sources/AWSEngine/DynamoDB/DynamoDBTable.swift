import EventStore

/// The tables by their names in an account.
package struct DynamoDBTables: Sendable {
    package let events: String
    package let appointments: String
    package let subjects: String
    package let projections: String

    /// The tables that the variables name; those without one have their plain names.
    package init(environment: [String: String] = [:]) {
        events = environment.filled("EVENTS_TABLE_NAME") ?? "events"
        appointments = environment.filled("APPOINTMENTS_TABLE_NAME") ?? "appointments"
        subjects = environment.filled("SUBJECTS_TABLE_NAME") ?? "subjects"
        projections = environment.filled("PROJECTIONS_TABLE_NAME") ?? "projections"
    }
}

/// One table of DynamoDB: the few calls that the stores are made of, with errors as they throw them.
struct DynamoDBTable: Sendable {
    let client: AWSClient
    let name: String

    /// Calls an operation on this table.
    func call(
        _ operation: String, _ parameters: (inout JSONWriter) -> Void
    ) async throws(AWSError) -> JSONValue {
        do throws(AWSError) {
            return try await client.call(.dynamoDB, operation) { writer in
                writer.member("TableName", name)
                parameters(&writer)
            }
        } catch {
            // DynamoDB does not always say which one it did not find.
            throw error.isRefused("ResourceNotFoundException") ? error.with(message: "table \(name)") : error
        }
    }

    /// The item with a key, as the last write left it; nil where there is none.
    func item(_ key: (inout JSONWriter) -> Void) async throws(EventStoreError) -> Item? {
        do throws(AWSError) {
            let answer = try await call("GetItem") { writer in
                writer.member("Key") { $0.object(key) }
                writer.member("ConsistentRead") { $0.boolean(true) }
            }
            return answer["Item"].map(Item.init)
        } catch {
            throw error.asStoreError
        }
    }

    /// Puts an item if a condition holds.
    ///
    /// - Returns: the item that is in its place, when the condition did not hold; nil when the item was put.
    func put(
        _ item: (inout JSONWriter) -> Void, if condition: String, values: ((inout JSONWriter) -> Void)? = nil
    ) async throws(EventStoreError) -> Item? {
        do throws(AWSError) {
            _ = try await call("PutItem") { writer in
                writer.member("Item") { $0.object(item) }
                writer.member("ConditionExpression", condition)
                if let values { writer.member("ExpressionAttributeValues") { $0.object(values) } }
                writer.member("ReturnValuesOnConditionCheckFailure", "ALL_OLD")
            }
            return nil
        } catch {
            guard error.isRefused("ConditionalCheckFailedException") else { throw error.asStoreError }
            return Item(value: error.details?["Item"] ?? .object([]))
        }
    }

    /// Reads all pages of a query or scan.
    ///
    /// - Parameter enough: told of each page's items; true when no more are wanted.
    func pages(
        _ operation: String, _ parameters: (inout JSONWriter) -> Void,
        until enough: ([Item], JSONValue) throws(EventStoreError) -> Bool
    ) async throws(EventStoreError) {
        var start: JSONValue?
        repeat {
            let answer: JSONValue
            do throws(AWSError) {
                answer = try await call(operation) { writer in
                    parameters(&writer)
                    if let start { writer.member("ExclusiveStartKey") { $0.value(start) } }
                }
            } catch {
                throw error.asStoreError
            }
            if try enough(answer["Items"]?.elements.map(Item.init) ?? [], answer) { return }
            start = answer["LastEvaluatedKey"]
        } while start != nil
    }
}

extension EventStoreError {
    /// An item of a table that this program has not written like that.
    static func damaged(_ table: String, _ damage: Item.Damage) -> EventStoreError {
        EventStoreError(
            .corrupt, message: "an item of table \(table) lacks a readable \(damage.attribute): run `ledger verify`")
    }
}

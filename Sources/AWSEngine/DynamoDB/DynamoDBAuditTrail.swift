package import EventStore
package import Handlers

/// The record of who looked at the events, in DynamoDB: an item an access, by its moment.
package struct DynamoDBAuditTrail: AuditTrail {
    private let table: DynamoDBTable
    private let random: @Sendable () -> UInt64

    private static let name = "audit"

    /// - Parameter random: 64 bits that tell accesses of the same moment apart.
    package init(_ client: AWSClient, tables: DynamoDBTables, random: @escaping @Sendable () -> UInt64) {
        (table, self.random) = (DynamoDBTable(client: client, name: tables.projections), random)
    }

    package func record(_ access: AuditAccess) async throws(EventStoreError) {
        let number = random()
        let taken = try await table.put(
            { writer in
                writer.attribute("projectionId", text: Self.name)
                writer.attribute("itemId", text: "\(access.at)#\(number)")
                writer.attribute("caller", text: access.caller)
                writer.attribute("filters", text: String(decoding: access.filters, as: UTF8.self))
                writer.attribute("rowCount", number: access.rows)
                writer.attribute("at", text: access.at.description)
            }, if: "attribute_not_exists(projectionId)")
        // A lost answer makes the client write again what is there already.
        guard let taken else { return }
        guard (try? taken.text("caller")) == access.caller else {
            throw EventStoreError(.unavailable, message: "two accesses have one number: read again")
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AuditAccess] {
        var accesses: [AuditAccess] = []
        var isOver = false
        guard limit > 0 else { return [] }
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :name")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { $0.attribute(":name", text: Self.name) }
            }
            writer.member("ScanIndexForward") { $0.boolean(false) }
        } until: { (items, _) throws(EventStoreError) in
            do throws(Item.Damage) {
                for item in items {
                    let access = AuditAccess(
                        at: try item.value("at") { Timestamp($0) }, caller: try item.text("caller"),
                        filters: Array(try item.text("filters").utf8), rows: Int(try item.number("rowCount")))
                    if filter.matches(access) { accesses.append(access) }
                    // The newest come first: what follows is older still.
                    if let from = filter.from, access.at < from { isOver = true }
                }
            } catch {
                throw .damaged(table.name, error)
            }
            return isOver || accesses.count >= limit
        }
        return Array(accesses.prefix(limit))
    }
}

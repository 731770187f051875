package import EventStore
package import Handlers

/// The API keys in DynamoDB: an item by the digest of the secret, and one that reserves the name.
package struct DynamoDBAPIKeys: APIKeys {
    private let table: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        table = DynamoDBTable(client: client, name: tables.projections)
    }

    private static let isNew = "attribute_not_exists(projectionId)"
    private static let prefix = "digest#"

    private static func id(_ item: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "keys")
        writer.attribute("itemId", text: item)
    }

    package func add(_ key: APIKey, digest: Hash) async throws(EventStoreError) {
        do throws(AWSError) {
            _ = try await table.client.call(.dynamoDB, "TransactWriteItems") { writer in
                writer.member("TransactItems") { writer in
                    writer.array { writer in
                        put(&writer) {
                            Self.id("name#\(key.name)", &$0)
                            $0.attribute("digest", bytes: digest.bytes)
                        }
                        put(&writer) {
                            Self.id("\(Self.prefix)\(digest)", &$0)
                            $0.attribute("name", text: key.name)
                            $0.attribute("role", text: key.role.rawValue)
                            $0.attribute("createdAt", text: key.createdAt.description)
                            if let moment = key.revokedAt { $0.attribute("revokedAt", text: moment.description) }
                        }
                    }
                }
            }
        } catch {
            guard error.cancellationReasons.contains(where: { $0["Code"]?.text == "ConditionalCheckFailed" }) else {
                throw error.asStoreError
            }
            throw .nameTaken(key.name)
        }
    }

    private func put(_ writer: inout JSONWriter, _ item: (inout JSONWriter) -> Void) {
        writer.object { writer in
            writer.member("Put") { writer in
                writer.object { writer in
                    writer.member("TableName", table.name)
                    writer.member("Item") { $0.object(item) }
                    writer.member("ConditionExpression", Self.isNew)
                }
            }
        }
    }

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        guard let item = try await table.item({ Self.id("\(Self.prefix)\(digest)", &$0) }) else { return nil }
        return try read(item)
    }

    package func list() async throws(EventStoreError) -> [APIKey] {
        var keys: [APIKey] = []
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :keys AND begins_with(itemId, :prefix)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object {
                    $0.attribute(":keys", text: "keys")
                    $0.attribute(":prefix", text: Self.prefix)
                }
            }
        } until: { (items, _) throws(EventStoreError) in
            for item in items { keys.append(try read(item)) }
            return false
        }
        return keys.sorted { $0.name < $1.name }
    }

    package func revoke(_ name: String, at now: Timestamp) async throws(EventStoreError) -> Bool {
        guard let reserved = try await table.item({ Self.id("name#\(name)", &$0) }) else { return false }
        let digest: Hash
        do throws(Item.Damage) {
            guard let found = Hash(bytes: try reserved.bytes("digest")) else { throw Item.Damage(attribute: "digest") }
            digest = found
        } catch {
            throw .damaged(table.name, error)
        }
        return try await revoke(digest, at: now)
    }

    private func revoke(_ digest: Hash, at now: Timestamp) async throws(EventStoreError) -> Bool {
        do throws(AWSError) {
            _ = try await table.call("UpdateItem") { writer in
                writer.member("Key") { $0.object { Self.id("\(Self.prefix)\(digest)", &$0) } }
                writer.member("UpdateExpression", "SET revokedAt = :now")
                writer.member("ConditionExpression", "attribute_exists(itemId) AND attribute_not_exists(revokedAt)")
                writer.member("ExpressionAttributeValues") { writer in
                    writer.object { $0.attribute(":now", text: now.description) }
                }
            }
            return true
        } catch {
            if error.isRefused("ConditionalCheckFailedException") { return false }
            throw error.asStoreError
        }
    }

    private func read(_ item: Item) throws(EventStoreError) -> APIKey {
        do throws(Item.Damage) {
            return APIKey(
                name: try item.text("name"), role: try item.value("role") { Role(rawValue: $0) },
                createdAt: try item.value("createdAt") { Timestamp($0) },
                revokedAt: try item.ifPresent("revokedAt") { name throws(Item.Damage) in
                    try item.value(name) { Timestamp($0) }
                })
        } catch {
            throw .damaged(table.name, error)
        }
    }
}

package import EventStore

/// The API keys in DynamoDB: an item by the digest of the secret, one that reserves the name, and one a record.
///
/// A change writes its records and what they change in one transaction, each record only where none is. Keys that are
/// older than the records get theirs with the first change.
package struct DynamoDBAPIKeys: APIKeys {
    private let table: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        table = DynamoDBTable(client: client, name: tables.projections)
    }

    private static let isNew = "attribute_not_exists(projectionId)"
    private static let keyPrefix = "digest#"
    private static let recordPrefix = "record#"
    private static let fieldNames = ["at", "actor", "change", "name", "role", "digest"]
    /// How often a change is decided anew because somebody else's came first.
    private static let maximumAttempts = 5

    private static func id(_ item: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "keys")
        writer.attribute("itemId", text: item)
    }

    /// Records are queried in the order of their numbers, so these are written with all their digits.
    private static func recordID(_ number: Int) -> String {
        let digits = String(number)
        return recordPrefix + String(repeating: "0", count: max(12 - digits.count, 0)) + digits
    }

    // MARK: Changing

    package func carryOut(
        _ command: KeyCommand, by actor: String, at now: Timestamp
    ) async throws(EventStoreError) -> [KeyRecord] {
        for attempt in 1...Self.maximumAttempts {
            let stored = try await records()
            var history = KeyHistory()
            var chain = RecordChain(KeyRecord.chainName)
            for record in stored {
                guard chain.append(record.fields) == record.hash, let read = KeyRecord(fields: record.fields) else {
                    throw .unlikeRecords(command.name)
                }
                history.take(read)
            }
            let (held, keys) = (try await list(), history.keys(of: command.name))
            // What was changed without this program must not get a record that makes it look right.
            guard held.filter({ $0.name == command.name }) == keys.inOrder else {
                // Keys are read after their records: somebody may have changed them between.
                if attempt < Self.maximumAttempts { continue }
                throw .unlikeRecords(command.name)
            }
            let records = try command.records(on: keys, by: actor, at: now)
            if records.isEmpty { return [] }
            try await adopt(stored)
            if try await write(records, behind: chain, keys) { return records }
        }
        throw EventStoreError(.unavailable, message: "others change the keys at the same time: try again")
    }

    /// Writes the records of keys that were made before records were kept; the first of them last, since without it
    /// there is none.
    private func adopt(_ records: [ChainedRecord]) async throws(EventStoreError) {
        guard let first = records.first, try await table.item({ Self.id(Self.recordID(1), &$0) }) == nil else { return }
        let others = records.dropFirst().map { record in DynamoDBTable.putting { Self.write(record, &$0) } }
        try await table.carryOut(others)
        _ = try await table.put({ Self.write(first, &$0) }, if: Self.isNew)
    }

    /// - Returns: whether it was written; false when somebody else's record has that number.
    private func write(
        _ records: [KeyRecord], behind chain: RecordChain, _ keys: [APIKey]
    ) async throws(EventStoreError) -> Bool {
        var chain = chain
        let numbered = records.map { record in
            let hash = chain.append(record.fields)
            return (record, ChainedRecord(number: chain.count, fields: record.fields, hash: hash))
        }
        do throws(AWSError) {
            _ = try await table.client.call(.dynamoDB, "TransactWriteItems") { writer in
                writer.member("TransactItems") { writer in
                    writer.array { writer in
                        for (record, stored) in numbered {
                            put(&writer) { Self.write(stored, &$0) }
                            apply(record, keys, &writer)
                        }
                    }
                }
            }
            return true
        } catch {
            guard error.cancellationReasons.contains(where: { $0["Code"]?.text == "ConditionalCheckFailed" }) else {
                throw error.asStoreError
            }
            return false
        }
    }

    private func apply(_ record: KeyRecord, _ keys: [APIKey], _ writer: inout JSONWriter) {
        switch (record.change, record.digest) {
        case (.created, let digest?):
            put(&writer) {
                Self.id("name#\(record.name)", &$0)
                $0.attribute("digest", bytes: digest.bytes)
            }
            put(&writer) { Self.write(record, digest, &$0) }
        case (.rotated, let digest?): put(&writer) { Self.write(record, digest, &$0) }
        case (.revoked, let digest?):
            update(&writer, digest, "SET revokedAt = :value", record.at.description)
        case (.roleChanged, _):
            for key in keys where key.isLive {
                update(&writer, key.digest, "SET #role = :value", record.role.rawValue, named: "role")
            }
        case (.created, nil), (.rotated, nil), (.revoked, nil): preconditionFailure("a record of a key names it")
        }
    }

    private static func write(_ record: KeyRecord, _ digest: Hash, _ writer: inout JSONWriter) {
        id("\(keyPrefix)\(digest)", &writer)
        writer.attribute("name", text: record.name)
        writer.attribute("role", text: record.role.rawValue)
        writer.attribute("createdAt", text: record.at.description)
    }

    private static func write(_ record: ChainedRecord, _ writer: inout JSONWriter) {
        id(recordID(record.number), &writer)
        writer.attribute("number", number: record.number)
        for (name, field) in zip(fieldNames, record.fields) {
            if let field { writer.attribute(name, text: field) }
        }
        if let hash = record.hash { writer.attribute("hash", bytes: hash.bytes) }
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

    private func update(
        _ writer: inout JSONWriter, _ digest: Hash, _ expression: String, _ value: String, named name: String? = nil
    ) {
        writer.object { writer in
            writer.member("Update") { writer in
                writer.object { writer in
                    writer.member("TableName", table.name)
                    writer.member("Key") { $0.object { Self.id("\(Self.keyPrefix)\(digest)", &$0) } }
                    writer.member("UpdateExpression", expression)
                    writer.member("ConditionExpression", "attribute_exists(projectionId)")
                    if let name {
                        writer.member("ExpressionAttributeNames") { $0.object { $0.member("#\(name)", name) } }
                    }
                    writer.member("ExpressionAttributeValues") { $0.object { $0.attribute(":value", text: value) } }
                }
            }
        }
    }

    // MARK: Reading

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        guard let item = try await table.item({ Self.id("\(Self.keyPrefix)\(digest)", &$0) }) else { return nil }
        return try read(item)
    }

    package func list() async throws(EventStoreError) -> [APIKey] {
        var keys: [APIKey] = []
        for item in try await items(Self.keyPrefix) { keys.append(try read(item)) }
        return keys.inOrder
    }

    /// Those that are stored; before the first change, those that the keys will get then.
    package func records() async throws(EventStoreError) -> [ChainedRecord] {
        var records: [ChainedRecord] = []
        for item in try await items(Self.recordPrefix) {
            do throws(Item.Damage) {
                var fields: [String?] = []
                for name in Self.fieldNames {
                    fields.append(try item.ifPresent(name) { name throws(Item.Damage) in try item.text(name) })
                }
                records.append(
                    ChainedRecord(
                        number: Int(try item.number("number")), fields: fields,
                        hash: Hash(bytes: try item.bytes("hash"))))
            } catch {
                throw .damaged(table.name, error)
            }
        }
        if records.first?.number == 1 { return records }
        var chain = RecordChain(KeyRecord.chainName)
        return KeyRecord.ofMigrated(try await list()).map { record in
            let hash = chain.append(record.fields)
            return ChainedRecord(number: chain.count, fields: record.fields, hash: hash)
        }
    }

    private func items(_ prefix: String) async throws(EventStoreError) -> [Item] {
        var all: [Item] = []
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :keys AND begins_with(itemId, :prefix)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object {
                    $0.attribute(":keys", text: "keys")
                    $0.attribute(":prefix", text: prefix)
                }
            }
        } until: { (items, _) throws(EventStoreError) in
            all += items
            return false
        }
        return all
    }

    private func read(_ item: Item) throws(EventStoreError) -> APIKey {
        do throws(Item.Damage) {
            return APIKey(
                name: try item.text("name"), role: try item.value("role") { Role(rawValue: $0) },
                digest: try item.value("itemId") { id in
                    Base64.decode(id.dropFirst(Self.keyPrefix.count)).flatMap { Hash(bytes: $0) }
                },
                createdAt: try item.value("createdAt") { Timestamp($0) },
                revokedAt: try item.ifPresent("revokedAt") { name throws(Item.Damage) in
                    try item.value(name) { Timestamp($0) }
                })
        } catch {
            throw .damaged(table.name, error)
        }
    }
}

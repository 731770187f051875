package import EventStore

/// The ring of keys whose master key is wrapped by a key of KMS. KMS is asked once a process, not once a person.
package enum KMSKeyRing {
    private static let place = "ring"
    /// What KMS checks and logs with each use.
    private static let context = JSONValue.object([("purpose", .string("appointment-ledger"))])

    /// Unwraps the ledger's master key. The first process makes one.
    ///
    /// - Parameter key: an id, ARN or alias (`alias/…`) of a symmetric key of KMS.
    /// - Throws: `unavailable`, or `corrupt` when the wrapped key is damaged.
    package static func open(
        _ client: AWSClient, tables: DynamoDBTables, key: String
    ) async throws(EventStoreError) -> KeyRing {
        let table = DynamoDBTable(client: client, name: tables.subjects)
        if let item = try await table.item({ $0.attribute("subjectKey", text: place) }) {
            return try await unwrap(item, table, key)
        }
        let made = try await call(client, "GenerateDataKey") { writer in
            writer.member("KeyId", key)
            writer.member("NumberOfBytes", 32)
            writer.member("EncryptionContext") { $0.value(context) }
        }
        guard let wrapped = bytes(made, "CiphertextBlob"), let master = bytes(made, "Plaintext") else {
            throw EventStoreError(.unavailable, message: "kms GenerateDataKey gave no key")
        }
        let there = try await table.put(
            { writer in
                writer.attribute("subjectKey", text: place)
                writer.attribute("wrappedKey", bytes: wrapped)
            }, if: "attribute_not_exists(wrappedKey)")
        // Another process may have been faster: its key is the ledger's.
        guard let there else { return try KeyRing(master: master) }
        return try await unwrap(there, table, key)
    }

    private static func unwrap(
        _ item: Item, _ table: DynamoDBTable, _ key: String
    ) async throws(EventStoreError) -> KeyRing {
        let wrapped: [UInt8]
        do throws(Item.Damage) { wrapped = try item.bytes("wrappedKey") } catch { throw .damaged(table.name, error) }
        let answer = try await call(table.client, "Decrypt") { writer in
            writer.member("KeyId", key)
            writer.member("CiphertextBlob") { $0.base64(wrapped) }
            writer.member("EncryptionContext") { $0.value(context) }
        }
        guard let master = bytes(answer, "Plaintext") else {
            throw EventStoreError(.unavailable, message: "kms Decrypt gave no key")
        }
        return try KeyRing(master: master)
    }

    private static func call(
        _ client: AWSClient, _ operation: String, _ parameters: (inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> JSONValue {
        do throws(AWSError) {
            return try await client.call(.kms, operation, parameters)
        } catch {
            throw error.asStoreError
        }
    }

    private static func bytes(_ answer: JSONValue, _ name: String) -> [UInt8]? {
        answer[name]?.text.flatMap { Base64.decode($0) }
    }
}

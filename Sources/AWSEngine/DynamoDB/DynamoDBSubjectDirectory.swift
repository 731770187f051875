package import EventStore

/// Who the subject ids mean, in DynamoDB: two items a person, one under the person and one under the id, since an index
/// would follow the table only after a moment, and a person who is not found looks like one who was erased.
package struct DynamoDBSubjectDirectory: SubjectDirectory {
    private let table: DynamoDBTable

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        table = DynamoDBTable(client: client, name: tables.subjects)
    }

    package func subject(of person: PersonName) async throws(EventStoreError) -> Subject? {
        try await find(Self.key(person))
    }

    package func subject(_ id: Identifier) async throws(EventStoreError) -> Subject? {
        try await find(Self.key(id))
    }

    package func subjects(_ ids: Set<Identifier>) async throws(EventStoreError) -> [Identifier: Subject] {
        let keys: [JSONValue] = ids.sorted().map { id in .written { $0.attribute("subjectKey", text: Self.key(id)) } }
        var found: [Identifier: Subject] = [:]
        for item in try await table.items(keys) {
            let subject = try read(item)
            found[subject.id] = subject
        }
        return found
    }

    package func add(_ subject: Subject) async throws(EventStoreError) -> Subject {
        do throws(AWSError) {
            _ = try await table.client.call(.dynamoDB, "TransactWriteItems") { writer in
                writer.member("TransactItems") { writer in
                    writer.array { writer in
                        for key in [Self.key(subject.person), Self.key(subject.id)] { put(subject, key, &writer) }
                    }
                }
            }
            return subject
        } catch {
            let there = error.cancellationReasons.first?["Item"]
            guard error.isRefused("TransactionCanceledException"), let there else { throw error.asStoreError }
            return try read(Item(value: there))
        }
    }

    private func put(_ subject: Subject, _ key: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Put") { writer in
                writer.object { writer in
                    writer.member("TableName", table.name)
                    writer.member("Item") { writer in
                        writer.object {
                            $0.attribute("subjectKey", text: key)
                            $0.attribute("subjectId", text: subject.id.description)
                            $0.attribute("countryISO", text: subject.person.country)
                            $0.attribute("insuredId", text: subject.person.insured)
                            $0.attribute("keyNumber", number: subject.keyNumber)
                            $0.attribute("wrappedKey", bytes: subject.wrappedKey)
                        }
                    }
                    writer.member("ConditionExpression", "attribute_not_exists(subjectKey)")
                    writer.member("ReturnValuesOnConditionCheckFailure", "ALL_OLD")
                }
            }
        }
    }

    private func find(_ key: String) async throws(EventStoreError) -> Subject? {
        guard let item = try await table.item({ $0.attribute("subjectKey", text: key) }) else { return nil }
        return try read(item)
    }

    private func read(_ item: Item) throws(EventStoreError) -> Subject {
        do throws(Item.Damage) {
            return Subject(
                id: try item.value("subjectId") { Identifier($0) },
                person: PersonName(country: try item.text("countryISO"), insured: try item.text("insuredId")),
                keyNumber: Int(try item.number("keyNumber")), wrappedKey: try item.bytes("wrappedKey"))
        } catch {
            throw .damaged(table.name, error)
        }
    }

    private static func key(_ person: PersonName) -> String { "person#\(person.country)#\(person.insured)" }
    private static func key(_ id: Identifier) -> String { "subject#\(id)" }
}

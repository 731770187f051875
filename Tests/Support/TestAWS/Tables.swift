import EventStore

@testable package import AWSEngine

extension Emulator {
    /// Makes the tables of a ledger in the client's account.
    package static func makeTables(_ client: AWSClient, _ tables: DynamoDBTables = DynamoDBTables()) async throws {
        try await make(client, tables.events, hash: "streamId", range: ("version", "N"), hasStream: true)
        try await make(
            client, tables.appointments, hash: "appointmentId",
            indexes: ["insuredId", "status", "countryISO"])
        try await make(client, tables.subjects, hash: "subjectKey")
        try await make(client, tables.projections, hash: "projectionId", range: ("itemId", "S"))
    }

    /// Copies tables as they are now into new ones with an ending behind their names, as a restore to a point in time
    /// does.
    ///
    /// - Parameters:
    ///   - events: the ending of the tables of events and views that are copied; nil for those without one.
    ///   - places: the ending of the table of projections that is copied.
    package static func copyTables(
        _ client: AWSClient, ending: String, events: String? = nil, places: String? = nil
    ) async throws {
        func tables(_ ending: String?) -> DynamoDBTables {
            DynamoDBTables(environment: ending.map { variables(ending: $0) } ?? [:])
        }
        let (old, oldPlaces) = (tables(events), tables(places))
        let new = DynamoDBTables(environment: variables(ending: ending))
        try await make(client, new.events, hash: "streamId", range: ("version", "N"), hasStream: true)
        try await make(
            client, new.appointments, hash: "appointmentId", indexes: ["insuredId", "status", "countryISO"])
        try await make(client, new.projections, hash: "projectionId", range: ("itemId", "S"))
        for (from, to) in [
            (old.events, new.events), (old.appointments, new.appointments), (oldPlaces.projections, new.projections),
        ] {
            var items: [Item] = []
            try await DynamoDBTable(client: client, name: from).pages("Scan") { _ in
            } until: { (page, _) throws(EventStoreError) in
                items += page
                return false
            }
            for item in items {
                _ = try await client.call(.dynamoDB, "PutItem") { writer in
                    writer.member("TableName", to)
                    writer.member("Item") { $0.value(item.value) }
                }
            }
        }
    }

    /// Takes out of a table of events what a copy of it does not have, as an older copy in its place does.
    ///
    /// - Parameters:
    ///   - ending: the ending of the table.
    ///   - events: the ending of the copy.
    package static func putBack(_ client: AWSClient, ending: String, to events: String) async throws {
        func items(_ ending: String) async throws -> (table: DynamoDBTable, keys: Set<[String]>) {
            let name = DynamoDBTables(environment: variables(ending: ending)).events
            let table = DynamoDBTable(client: client, name: name)
            var keys: Set<[String]> = []
            try await table.pages("Scan") { _ in
            } until: { (page, _) throws(EventStoreError) in
                for item in page {
                    keys.insert([(try? item.text("streamId")) ?? "", item.value["version"]?["N"]?.text ?? ""])
                }
                return false
            }
            return (table, keys)
        }
        let (now, then) = (try await items(ending), try await items(events))
        for key in now.keys.subtracting(then.keys) {
            _ = try await now.table.call("DeleteItem") { writer in
                writer.member("Key") { writer in
                    writer.object { writer in
                        writer.attribute("streamId", text: key[0])
                        writer.attribute("version", number: Int(key[1]) ?? 0)
                    }
                }
            }
        }
    }

    /// The variables that name copies of the tables.
    package static func variables(ending: String) -> [String: String] {
        [
            "EVENTS_TABLE_NAME": "events-\(ending)", "APPOINTMENTS_TABLE_NAME": "appointments-\(ending)",
            "PROJECTIONS_TABLE_NAME": "projections-\(ending)",
        ]
    }

    private static func make(
        _ client: AWSClient, _ name: String, hash: String, range: (name: String, type: String)? = nil,
        indexes: [String] = [], hasStream: Bool = false
    ) async throws {
        let attributes =
            [(hash, "S")] + (range.map { [($0.name, $0.type)] } ?? []) + indexes.map { ($0, "S") }
            + (indexes.isEmpty ? [] : [("createdAt", "S")])
        _ = try await client.call(.dynamoDB, "CreateTable") { writer in
            writer.member("TableName", name)
            writer.member("BillingMode", "PAY_PER_REQUEST")
            writer.member("AttributeDefinitions") { writer in
                writer.array { writer in
                    for (name, type) in attributes {
                        writer.object {
                            $0.member("AttributeName", name)
                            $0.member("AttributeType", type)
                        }
                    }
                }
            }
            keys(&writer, [(hash, "HASH")] + (range.map { [($0.name, "RANGE")] } ?? []))
            if !indexes.isEmpty { writer.member("GlobalSecondaryIndexes") { Self.indexes(indexes, &$0) } }
            if hasStream {
                writer.member("StreamSpecification") { writer in
                    writer.object {
                        $0.member("StreamEnabled") { $0.boolean(true) }
                        $0.member("StreamViewType", "NEW_IMAGE")
                    }
                }
            }
        }
    }

    private static func indexes(_ names: [String], _ writer: inout JSONWriter) {
        writer.array { writer in
            for name in names {
                writer.object { writer in
                    writer.member("IndexName", "\(name)-createdAt-index")
                    keys(&writer, [(name, "HASH"), ("createdAt", "RANGE")])
                    writer.member("Projection") { $0.object { $0.member("ProjectionType", "ALL") } }
                }
            }
        }
    }

    private static func keys(_ writer: inout JSONWriter, _ names: [(name: String, kind: String)]) {
        writer.member("KeySchema") { writer in
            writer.array { writer in
                for key in names {
                    writer.object {
                        $0.member("AttributeName", key.name)
                        $0.member("KeyType", key.kind)
                    }
                }
            }
        }
    }
}

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

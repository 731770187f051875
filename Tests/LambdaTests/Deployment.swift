import Appointments
import EventStore
import Foundation
import PostgresEngine
import TestAWS
import TestPostgres
import TestPrograms
import Testing

@testable import AWSEngine

/// A deployment of the ledger: tables, queues, topics and bus in the emulator, databases in PostgreSQL, and the four
/// functions under a host.
final class Deployment: Sendable {
    let client: AWSClient
    let names = AWSNames(environment: ["EVENTBRIDGE_BUS_NAME": Emulator.bus])
    let peru: TestDatabase
    let mirrorDatabase: TestDatabase
    let environment: [String: String]
    /// The same past any proxy.
    private let direct: [String: String]
    let appointment: LambdaHost
    let country: LambdaHost
    let mirror: LambdaHost
    /// An admin's.
    let apiKey = "test-key-of-the-admin"

    var store: DynamoDBEventStore { DynamoDBEventStore(client, tables: names.tables) }
    var views: DynamoDBAppointmentView { DynamoDBAppointmentView(client, tables: names.tables) }

    /// - Parameter proxy: stands between the functions and the emulator.
    init(through proxy: WireProxy? = nil) async throws {
        let variables: [String: String]
        (client, variables) = try await Emulator.makeLedger(through: proxy)
        peru = try await TestCluster.database(.country(.peru))
        mirrorDatabase = try await TestCluster.database(.ledger)
        environment = variables.merging(
            [
                "STAGE": "test", "RDS_URL": peru.url, "RDS_URL_LEDGER": mirrorDatabase.url, "LOG_LEVEL": "info",
            ]
        ) { $1 }
        direct = environment.merging(["AWS_ENDPOINT_URL": Emulator.environment()["AWS_ENDPOINT_URL"] ?? ""]) { $1 }
        appointment = LambdaHost("appointment", environment)
        country = LambdaHost("appointment-pe", environment)
        mirror = LambdaHost("appointment-mirror", environment)
        let keys = DynamoDBAPIKeys(client, tables: names.tables)
        _ = try await keys.carryOut(
            .create(name: "tests", role: .admin, digest: Hash(of: Array(apiKey.utf8))), by: "tests",
            at: AWSClock.realTime())
    }

    /// Has the operator's program verify everything: events, chain, view and mirror.
    func expectVerified() async throws {
        let program = try RunningProgram(
            path: RunningProgram.url(of: "ledger").path, ["verify", "--engine", "aws"], environment: direct)
        #expect(try await program.waitForExit() == 0, "\(program.output)\(program.errors)")
    }

    /// A request as API Gateway hands it on.
    func request(
        _ method: String, _ path: String, query: [(String, String)] = [], body: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> (status: Int64, headers: JSONValue, body: JSONValue) {
        let event = Self.event(method, path, query, body, headers + [("X-Api-Key", apiKey)])
        guard case .answered(let answer) = try await appointment.invoke(event) else {
            throw EventStoreError(.unavailable, message: "no answer: \(appointment.log)")
        }
        let text = try #require(answer["body"]?.text)
        return (
            try #require(answer["statusCode"]?.whole), answer["multiValueHeaders"] ?? .null,
            (try? JSONValue(Array(text.utf8))) ?? .string(text)
        )
    }

    /// An event after the shape in API Gateway's documentation, "Input format of a Lambda function for proxy
    /// integration".
    static func event(
        _ method: String, _ path: String, _ query: [(String, String)] = [], _ body: String? = nil,
        _ headers: [(String, String)] = [], address: String = "203.0.113.7"
    ) -> String {
        func names(_ pairs: [(String, String)]) -> [String] {
            pairs.map(\.0).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        func many(_ pairs: [(String, String)]) -> JSONValue {
            .object(
                names(pairs).map { name in (name, .array(pairs.filter { $0.0 == name }.map { .string($0.1) })) })
        }
        // Of several values API Gateway gives the last one here.
        func one(_ pairs: [(String, String)]) -> JSONValue {
            .object(names(pairs).map { name in (name, .string(pairs.last { $0.0 == name }?.1 ?? "")) })
        }
        let content: JSONValue = .object([
            ("resource", .string(path)), ("path", .string(path)), ("httpMethod", .string(method)),
            ("headers", one(headers)), ("multiValueHeaders", many(headers)),
            ("queryStringParameters", query.isEmpty ? .null : one(query)),
            ("multiValueQueryStringParameters", query.isEmpty ? .null : many(query)),
            ("pathParameters", .null), ("stageVariables", .null),
            (
                "requestContext",
                .object([
                    ("accountId", .string("123456789012")), ("apiId", .string("1234567890")),
                    ("httpMethod", .string(method)), ("path", .string("/test\(path)")),
                    ("requestId", .string("c6af9ac6-7b61-11e6-9a41-93e8deadbeef")), ("stage", .string("test")),
                    ("identity", .object([("sourceIp", .string(address)), ("userAgent", .string("test"))])),
                ])
            ),
            ("body", body.map(JSONValue.string) ?? .null), ("isBase64Encoded", .boolean(false)),
        ])
        return String(decoding: content.bytes, as: UTF8.self)
    }
}

import EventStore
import Foundation
import HTTPClient
import TestAWS
import Testing

@testable import AWSEngine

@Suite("Signatures")
struct SignatureTests {
    /// Every operation that is called with botocore's signature, by `Signatures/make-signatures.py`.
    private static let shapes: [JSONValue] = {
        guard
            let url = Bundle.module.url(
                forResource: "signatures", withExtension: "json", subdirectory: "Signatures"),
            let bytes = try? Data(contentsOf: url), case .array(let shapes)? = try? JSONValue(Array(bytes))
        else { return [] }
        return shapes
    }()

    private static let clock = AWSClock(
        now: { Timestamp(milliseconds: 1_795_504_253_123) }, uptime: { 0 }, sleep: { _ in }, random: { 0 })

    /// Calls that no signature goes with: the web identity stands for it.
    private static let unsigned: Set = ["AssumeRoleWithWebIdentity"]

    /// The operations that the sources name where they call AWS.
    private static func operationsCalled() throws -> Set<String> {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/AWSEngine")
        let calls = #/\b(?:call|answer|query|pages|whole|inBatches|sts)\((?:[^"(){}]|\{[^"{}]*\})*"(?<name>[A-Z]\w+)"/#
            .wordBoundaryKind(.simple)
        var names: Set<String> = []
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            names.formUnion(text.matches(of: calls).map { String($0.name) })
        }
        return names
    }

    @Test("every operation that is called is compared, and none besides")
    func operations() throws {
        let called = try Self.operationsCalled()
        #expect(called.isSuperset(of: Self.unsigned) && called.count > 20)
        #expect(called.subtracting(Self.unsigned) == Set(Self.shapes.compactMap { $0["operation"]?.text }))
    }

    @Test("every operation is signed as botocore signs it, over one connection after the other's keys")
    func signatures() async throws {
        try #require(!Self.shapes.isEmpty)
        let server = WireProxy(to: nil) { _ in .answer(200, headers: [:], body: "{}") }
        let pool = ConnectionPool(ConnectionPool.Settings(route: "127.0.0.1:\(server.port)"), size: 1)
        for shape in Self.shapes {
            server.forget()
            try await send(shape, pool)
            let request = try #require(server.requests.first)
            let name = "\(shape["operation"]?.text ?? "") to \(shape["endpoint"]?.text ?? "")"
            #expect(request.text == shape["body"]?.text, "the body of \(name)")
            #expect(request.headers["authorization"] == shape["authorization"]?.text, "the signature of \(name)")
            #expect(request.headers["x-amz-security-token"] == shape["sessionToken"]?.text)
        }
    }

    private func send(_ shape: JSONValue, _ pool: ConnectionPool) async throws {
        func text(_ key: String) throws -> String { try #require(shape[key]?.text) }
        let product = try #require(AWSProduct(rawValue: try text("product")))
        let settings = try AWSSettings(environment: [
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": try text("endpoint"), "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        ])
        let credentials = Credentials(
            accessKey: try text("accessKey"), secretKey: try text("secretKey"),
            sessionToken: shape["sessionToken"]?.text)
        let client = AWSClient(settings: settings, pool: pool, clock: Self.clock, credentials: .fixed(credentials))
        switch shape["parameters"] {
        case .object(let members):
            _ = try await client.call(product, try text("operation")) { writer in
                for member in members { writer.member(member.key) { $0.value(member.value) } }
            }
        case .array(let pairs):
            let parameters = pairs.compactMap { pair -> (name: String, value: String)? in
                guard case .array(let parts) = pair, let name = parts[0].text, let value = parts[1].text else {
                    return nil
                }
                return (name, value)
            }
            _ = try await client.query(product, try text("operation"), parameters)
        default: Issue.record("a shape without parameters")
        }
    }
}

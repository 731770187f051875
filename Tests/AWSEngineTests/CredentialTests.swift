import EventStore
import Foundation
import HTTPClient
import Synchronization
import TestAWS
import Testing

@testable import AWSEngine

@Suite("Where credentials come from")
struct CredentialTests {
    private let end = Timestamp(milliseconds: 1_795_507_853_000)

    /// A server that is STS, a container's endpoint and an instance's metadata in one.
    private func server() -> WireProxy {
        WireProxy(to: nil) { request in
            let json = """
                {"AccessKeyId":"ASIA","SecretAccessKey":"from \(request.path)","Token":"t",\
                "Expiration":"2026-11-24T08:10:53Z"}
                """
            switch request.operation {
            case "AssumeRoleWithWebIdentity":
                return .answer(
                    200, headers: [:],
                    body: """
                        <R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey>\
                        <SessionToken>t</SessionToken><Expiration>2026-11-24T08:10:53Z</Expiration></Credentials></R>
                        """)
            case "PUT /latest/api/token": return .answer(200, headers: [:], body: "token-1")
            case "GET /latest/meta-data/iam/security-credentials/": return .answer(200, headers: [:], body: "role-1\n")
            default: return .answer(200, headers: [:], body: json)
            }
        }
    }

    private func find(_ environment: [String: String], _ server: WireProxy) async throws -> Credentials {
        let variables = [
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.url, "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
        ].merging(environment) { $1 }
        return try await CredentialChain(
            settings: try AWSSettings(environment: variables), environment: variables, pool: ConnectionPool(size: 2),
            clock: TestClock().clock
        ).find()
    }

    private func file(_ text: String) throws -> String {
        let url = FileManager.default.temporaryDirectory.appending(path: "ledger-aws-\(UUID().uuidString)")
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }

    @Test("the environment goes before all")
    func environment() async throws {
        let server = server()
        let found = try await find(
            [
                "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent", "AWS_ROLE_ARN": "r",
            ], server)
        #expect(found == Credentials(accessKey: "AKID", secretKey: "s", sessionToken: "t"))
        #expect(server.requests.isEmpty)
    }

    @Test("a web identity is changed for a role, in a call without a signature")
    func webIdentity() async throws {
        let server = server()
        let token = try file("a.b+c\n")
        let found = try await find(
            ["AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"], server)
        #expect(found == Credentials(accessKey: "ASIA", secretKey: "a&b", sessionToken: "t", expiration: end))
        let request = try #require(server.requests.first)
        #expect(request.text.contains("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"))
        #expect(request.text.hasSuffix("&WebIdentityToken=a.b%2Bc"))
        #expect(request.headers["authorization"] == nil)
    }

    @Test("a profile holds keys; one that needs more says how to export its credentials")
    func profiles() async throws {
        let server = server()
        let credentials = try file("[default]\naws_access_key_id = AKD\naws_secret_access_key = d\n[keys]\n")
        let config = try file(
            """
            # comment
            [default]
            region = eu-west-1
            [profile role]
            role_arn = arn:aws:iam::1:role/r
            source_profile = default
            s3 =
              region = nowhere
            [profile sso]
            sso_session = my-sso
            [profile bare]
            role_arn = r
            aws_access_key_id = AKB
            aws_secret_access_key = b
            [profile metadata]
            role_arn = r
            credential_source = Ec2InstanceMetadata
            aws_access_key_id = AKM
            aws_secret_access_key = m
            """)
        let files = ["AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials]
        #expect(try await find(files, server) == Credentials(accessKey: "AKD", secretKey: "d"))
        for name in ["sso", "role", "unknown", "bare", "metadata"] {
            let error = await #expect(throws: CredentialFailure.self) {
                try await find(files.merging(["AWS_PROFILE": name]) { $1 }, server)
            }
            #expect(error?.message.contains(name) == true)
        }
        // A role that nothing assumes is not a reason to be somebody else.
        let bare = await #expect(throws: CredentialFailure.self) {
            try await find(files.merging(["AWS_PROFILE": "bare"]) { $1 }, server)
        }
        #expect(bare?.message.contains("aws configure export-credentials") == true)
        await #expect(throws: CredentialFailure.self) {
            try await find(files.merging(["AWS_DEFAULT_PROFILE": "unknown"]) { $1 }, server)
        }
        #expect(try AWSSettings(environment: files).region == "eu-west-1")
    }

    @Test("a container's endpoint is asked with its token")
    func container() async throws {
        let server = server()
        let found = try await find(
            [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.url)/get?x=1",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": try file("Bearer abc\n"),
            ], server)
        #expect(found.secretKey == "from /get?x=1")
        #expect(found.expiration == end)
        #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer abc"])
    }

    @Test(
        "a token is sent only over https, to this machine, or to the two hosts of ECS and EKS",
        arguments: [
            ("https://example.com/x", true), ("http://localhost/x", true), ("http://127.0.0.1:80/x", true),
            ("http://127.9.9.9/x", true), ("http://[::1]:8080/x", true), ("http://169.254.170.2/x", true),
            ("http://169.254.170.23/v1/credentials", true), ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://example.com/x", false), ("http://169.254.169.254/x", false), ("http://10.0.0.1/", false),
            ("http://127.0.0.1.example.com/x", false), ("http://localhost.example.com", false),
            ("http://127.0.0.1@example.com/", false), ("http://[::1].example.com/", false), ("ftp://localhost/", false),
            ("http://example.com#localhost", false), ("http://[fd00:ec2::24]/", false), ("http://127.0.0/", false),
            ("http://0127.0.0.1/", false), ("http://127.0.0.01/", false), ("http://127.+0.0.1/", false),
        ])
    func trust(url: String, isTrusted: Bool) async throws {
        #expect(MetadataCredentials.isTrusted(url) == isTrusted)
    }

    @Test("an instance is asked for a token, its role, and the role's keys")
    func instance() async throws {
        let server = server()
        let found = try await find([:], server)
        #expect(found.secretKey == "from /latest/meta-data/iam/security-credentials/role-1")
        #expect(server.requests.first?.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        #expect(server.requests.dropFirst().map { $0.headers["x-aws-ec2-metadata-token"] } == ["token-1", "token-1"])
        await #expect(throws: CredentialFailure.self) { try await find(["AWS_EC2_METADATA_DISABLED": "true"], server) }
    }
}

@Suite("How long credentials are kept")
struct CredentialKeeperTests {
    /// A source whose keys are numbered and good for an hour.
    private final class Source: Sendable {
        let count = Mutex(0)
        let clock = TestClock()
        let fails = Mutex(false)

        func keeper() -> CredentialKeeper {
            CredentialKeeper(clock: clock.clock) { [self] in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                if fails.withLock({ $0 }) { return .failure(CredentialFailure(message: "out of order")) }
                await Task.yield()
                return .success(
                    Credentials(
                        accessKey: "key-\(number)", secretKey: "s", sessionToken: "t",
                        expiration: clock.now.adding(milliseconds: 3_600_000)))
            }
        }

        var made: Int { count.withLock { $0 } }
    }

    @Test("of a hundred callers at once one gets them")
    func oneCaller() async throws {
        let source = Source()
        let keeper = source.keeper()
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<100 { group.addTask { try await keeper.credentials().accessKey } }
            for try await key in group { #expect(key == "key-1") }
        }
        #expect(source.made == 1)
    }

    @Test("they are renewed before their end, while the old ones are still used")
    func renewal() async throws {
        let source = Source()
        let keeper = source.keeper()
        _ = try await keeper.credentials()
        source.clock.advance(milliseconds: 3_600_000 - 300_001)
        #expect(try await keeper.credentials().accessKey == "key-1")
        #expect(source.made == 1)
        source.clock.advance(milliseconds: 1)
        #expect(try await keeper.credentials().accessKey == "key-1")
        while try await keeper.credentials().accessKey != "key-2" { await Task.yield() }
        #expect(source.made == 2)
    }

    @Test("a step of the wall clock neither lengthens nor shortens their life", arguments: [-7_200_000, 7_200_000])
    func steps(milliseconds: Int64) async throws {
        let source = Source()
        let keeper = source.keeper()
        _ = try await keeper.credentials()
        source.clock.step(milliseconds: milliseconds)
        #expect(try await keeper.credentials().accessKey == "key-1")
        #expect(source.made == 1)
        source.clock.advance(milliseconds: 3_600_000 - 60_000)
        #expect(try await keeper.credentials().accessKey == "key-2")
    }

    @Test("in their last minute everybody waits for new ones; a source that is out of order leaves the old ones")
    func lastMinute() async throws {
        let source = Source()
        let keeper = source.keeper()
        _ = try await keeper.credentials()
        source.clock.advance(milliseconds: 3_600_000 - 60_000)
        source.fails.withLock { $0 = true }
        #expect(try await keeper.credentials().accessKey == "key-1")
        source.fails.withLock { $0 = false }
        #expect(try await keeper.credentials().accessKey == "key-3")
        source.clock.advance(milliseconds: 3_600_000)
        source.fails.withLock { $0 = true }
        await #expect(throws: CredentialFailure.self) { try await keeper.credentials() }
    }

    @Test("keys that AWS calls expired are replaced once, whoever finds it out, and the call is made again")
    func expired() async throws {
        let source = Source()
        let server = WireProxy(to: nil) { request in
            request.headers["authorization"]?.contains("key-1/") == true
                ? .refuse("ExpiredTokenException") : .answer(200, headers: [:], body: "{}")
        }
        let client = try AWSClient(to: server.url, source.clock, credentials: .kept(source.keeper()))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await client.ask() } }
            try await group.waitForAll()
        }
        #expect(source.made == 2)
        #expect(source.clock.sleeps.isEmpty)
    }

    @Test("keys that stay expired end the call after one replacement")
    func staysExpired() async throws {
        let source = Source()
        let server = WireProxy(to: nil) { _ in .refuse("ExpiredToken") }
        let client = try AWSClient(to: server.url, source.clock, credentials: .kept(source.keeper()))
        #expect(await awsFailure { try await client.ask() }?.code == .refused("ExpiredToken"))
        #expect(server.count("Ask") == 2)
        #expect(source.made == 2)
    }
}

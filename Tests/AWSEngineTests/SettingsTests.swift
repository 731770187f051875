import Testing

@testable import AWSEngine

@Suite("Settings of AWS")
struct SettingsTests {
    private let noFiles = ["AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"]

    private func settings(_ variables: [String: String]) throws(AWSError) -> AWSSettings {
        try AWSSettings(environment: noFiles.merging(variables) { $1 })
    }

    @Test("each product has its address in a region")
    func addresses() throws {
        let settings = try settings(["AWS_REGION": "sa-east-1"])
        #expect(settings.url(of: .streams) == "https://streams.dynamodb.sa-east-1.amazonaws.com/")
        #expect(settings.url(of: .eventBridge) == "https://events.sa-east-1.amazonaws.com/")
        let china = try self.settings(["AWS_REGION": "cn-north-1"])
        #expect(china.url(of: .sqs) == "https://sqs.cn-north-1.amazonaws.com.cn/")
        #expect(try self.settings(["AWS_DEFAULT_REGION": "us-west-2"]).region == "us-west-2")
    }

    @Test("an endpoint of one product goes before that of all, and both before AWS's own")
    func endpoints() throws {
        var variables = [
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000/", "AWS_ENDPOINT_URL_SQS": "",
        ]
        #expect(try settings(variables).url(of: .dynamoDB) == "http://127.0.0.1:8000/")
        #expect(try settings(variables).url(of: .streams) == "http://127.0.0.1:4566/")
        #expect(try settings(variables).url(of: .sqs) == "http://127.0.0.1:4566/")
        variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        #expect(try settings(variables).url(of: .dynamoDB) == "https://dynamodb.us-east-1.amazonaws.com/")
    }

    @Test(
        "what can't be meant is refused",
        arguments: [
            [:], ["AWS_REGION": "us east"], ["AWS_REGION": "x.evil.example/"],
            ["AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "ftp://host"],
            ["AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://user@host"],
            ["AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "0"],
        ])
    func refused(variables: [String: String]) {
        #expect(throws: AWSError.self) { try settings(variables) }
    }
}

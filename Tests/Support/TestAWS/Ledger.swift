import EventStore

@testable package import AWSEngine

extension Emulator {
    /// Makes all parts of a ledger in a new account.
    ///
    /// - Parameter proxy: stands between the emulator and whoever has the variables.
    /// - Returns: a client of the account, and the variables that name the parts.
    package static func makeLedger(
        through proxy: WireProxy? = nil
    ) async throws -> (client: AWSClient, environment: [String: String]) {
        let account = account()
        let client = try client(account: account)
        try await makeTables(client)
        try await makeMessaging(client)
        let key = try await client.call(.kms, "CreateKey") { _ in }["KeyMetadata"]?["KeyId"]?.text
        let names = ["KMS_KEY_ID": key ?? "", "EVENTBRIDGE_BUS_NAME": bus]
        return (client, environment(account: account, through: proxy).merging(names) { $1 })
    }
}

extension AWSClient {
    /// Writes a secret into the Parameter Store.
    package func putParameter(_ name: String, _ value: String) async throws {
        _ = try await call(.ssm, "PutParameter") { writer in
            writer.member("Name", name)
            writer.member("Value", value)
            writer.member("Type", "SecureString")
        }
    }
}

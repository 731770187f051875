package import EventStore

/// The Parameter Store of Systems Manager, where secrets are.
package struct ParameterStore: Sendable {
    private let client: AWSClient

    package init(_ client: AWSClient) { self.client = client }

    /// What a parameter holds, decrypted.
    ///
    /// - Throws: `unavailable`, also when there is no such parameter or it may not be read.
    package func value(of name: String) async throws(EventStoreError) -> String {
        do throws(AWSError) {
            let answer = try await client.call(.ssm, "GetParameter") { writer in
                writer.member("Name", name)
                writer.member("WithDecryption") { $0.boolean(true) }
            }
            if let value = answer["Parameter"]?["Value"]?.text { return value }
        } catch {
            throw error.asStoreError
        }
        throw EventStoreError(.unavailable, message: "ssm GetParameter gave no value of \(name)")
    }
}

package import EventStore
package import Handlers
import Synchronization

/// The topics of SNS.
package final class SNSTopics: Topics {
    private let client: AWSClient
    private let prefix: String
    /// What stands before a topic's name in its ARN.
    private let place = Mutex<String?>(nil)

    /// - Parameter prefix: stands before each name, such as `dev-`; nothing for the plain names.
    package init(_ client: AWSClient, prefix: String = "") { (self.client, self.prefix) = (client, prefix) }

    package func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError) {
        do throws(AWSError) {
            var parameters = [
                ("TopicArn", "\(try await account())\(prefix)\(topic.rawValue)"),
                ("Message", String(decoding: message.body, as: UTF8.self)),
            ]
            for (number, attribute) in message.attributes.sorted(by: { $0.key < $1.key }).enumerated() {
                let entry = "MessageAttributes.entry.\(number + 1)"
                parameters += [
                    ("\(entry).Name", attribute.key), ("\(entry).Value.DataType", "String"),
                    ("\(entry).Value.StringValue", attribute.value),
                ]
            }
            _ = try await client.query(.sns, "Publish", parameters)
        } catch {
            throw error.asStoreError
        }
    }

    /// Asks once whose credentials these are: topics are named with their account.
    private func account() async throws(AWSError) -> String {
        if let known = place.withLock({ $0 }) { return known }
        let answer = try await client.query(.sts, "GetCallerIdentity", [])
        guard let account = answer["Account"],
            let partition = answer["Arn"]?.split(separator: ":").dropFirst().first
        else { throw AWSError(.unreadable, .sts, "GetCallerIdentity", message: "the answer names no account") }
        let found = "arn:\(partition):sns:\(client.settings.region):\(account):"
        place.withLock { $0 = found }
        return found
    }
}

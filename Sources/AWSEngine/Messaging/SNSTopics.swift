package import EventStore
package import Handlers
import Synchronization

/// The topics of SNS.
package final class SNSTopics: Topics {
    private let client: AWSClient
    private let arns: [TopicName: String]
    /// What stands before a topic's name in its ARN.
    private let place = Mutex<String?>(nil)

    /// - Parameter names: a topic without an ARN there is one of its plain name in the caller's account.
    package init(_ client: AWSClient, names: AWSNames = AWSNames()) { (self.client, arns) = (client, names.topics) }

    package func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError) {
        do throws(AWSError) {
            var parameters = [
                ("TopicArn", try await arn(of: topic)),
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

    private func arn(of topic: TopicName) async throws(AWSError) -> String {
        if let arn = arns[topic] { return arn }
        return try await account() + topic.rawValue
    }

    /// Asks once whose credentials these are: topics are named with their account.
    private func account() async throws(AWSError) -> String {
        if let known = place.withLock({ $0 }) { return known }
        let answer = try await client.query(.sts, "GetCallerIdentity", [])
        guard let account = answer["Account"],
            let partition = answer["Arn"]?.split(separator: ":").dropFirst().first
        else {
            var error = AWSError(.unreadable, .sts, "GetCallerIdentity", message: "the answer names no account")
            error.requestID = answer["RequestId"]
            throw error
        }
        let found = "arn:\(partition):sns:\(client.settings.region):\(account):"
        place.withLock { $0 = found }
        return found
    }
}

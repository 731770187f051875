import EventStore
import Handlers

@testable package import AWSEngine

extension Emulator {
    /// The name of the event bus.
    package static let bus = "appointments"

    /// Makes queues, topics and the bus of a ledger in the client's account, wired as the deployment wires them.
    package static func makeMessaging(_ client: AWSClient) async throws {
        for name in QueueName.allCases {
            let dead = try await makeQueue(client, name.deadLetterName, redrive: nil)
            _ = try await makeQueue(
                client, name.rawValue,
                redrive: #"{"deadLetterTargetArn":"\#(dead)","maxReceiveCount":\#(QueueSettings.maximumReceives)}"#)
        }
        for topic in TopicName.allCases {
            let made = try await client.query(.sns, "CreateTopic", [("Name", topic.rawValue)])
            guard let subscriber = topic.subscriber, let arn = made["TopicArn"] else { continue }
            // The queue of a country has the name of its topic.
            assert(subscriber.rawValue == topic.rawValue)
            _ = try await client.query(
                .sns, "Subscribe",
                [("TopicArn", arn), ("Protocol", "sqs"), ("Endpoint", arn.replacing(":sns:", with: ":sqs:"))])
        }
        try await makeBus(client)
    }

    private static func makeQueue(_ client: AWSClient, _ name: String, redrive: String?) async throws -> String {
        let url = try await client.call(.sqs, "CreateQueue") { writer in
            writer.member("QueueName", name)
            writer.member("Attributes") { writer in
                writer.object {
                    $0.member("VisibilityTimeout", String(QueueSettings.visibilityMilliseconds / 1000))
                    $0.member("MessageRetentionPeriod", String(QueueSettings.retentionMilliseconds / 1000))
                    if let redrive { $0.member("RedrivePolicy", redrive) }
                }
            }
        }["QueueUrl"]?.text
        let attributes = try await client.call(.sqs, "GetQueueAttributes") { writer in
            writer.member("QueueUrl", url)
            writer.member("AttributeNames") { $0.array { $0.string("QueueArn") } }
        }
        return attributes["Attributes"]?["QueueArn"]?.text ?? ""
    }

    private static func makeBus(_ client: AWSClient) async throws {
        _ = try await client.call(.eventBridge, "CreateEventBus") { $0.member("Name", bus) }
        let account = try await client.query(.sts, "GetCallerIdentity", [])["Account"] ?? ""
        for rule in EventRule.all {
            var pattern = JSONWriter()
            pattern.object { writer in
                writer.member("source") { $0.array { $0.string(rule.source) } }
                writer.member("detail-type") { $0.array { $0.string(rule.detailType) } }
                writer.member("detail") { writer in
                    writer.object { writer in
                        writer.member("status") { $0.array { $0.string(rule.status) } }
                        if let country = rule.country {
                            writer.member("countryISO") { $0.array { $0.string(country) } }
                        }
                    }
                }
            }
            _ = try await client.call(.eventBridge, "PutRule") {
                $0.member("Name", rule.name)
                $0.member("EventBusName", bus)
                $0.member("EventPattern", String(decoding: pattern.bytes, as: UTF8.self))
            }
            _ = try await client.call(.eventBridge, "PutTargets") { writer in
                writer.member("Rule", rule.name)
                writer.member("EventBusName", bus)
                writer.member("Targets") { writer in
                    writer.array { writer in
                        writer.object {
                            $0.member("Id", rule.target.rawValue)
                            $0.member("Arn", "arn:aws:sqs:us-east-1:\(account):\(rule.target.rawValue)")
                        }
                    }
                }
            }
        }
    }
}

package import EventStore

/// How SNS and EventBridge wrap what they put into a queue. The embedded ledger wraps in the same way.
package enum Envelope {
    /// A message as SNS delivers it to a queue without raw delivery.
    package static func notification(
        _ message: OutgoingMessage, topic: TopicName, id: String, at now: Timestamp
    ) -> [UInt8] {
        var writer = JSONWriter(reservingCapacity: 768)
        writer.object {
            $0.member("Type", "Notification")
            $0.member("MessageId", id)
            $0.member("TopicArn", "arn:aws:sns:local:000000000000:\(topic.rawValue)")
            $0.member("Message", String(decoding: message.body, as: UTF8.self))
            $0.member("Timestamp", now)
            $0.member("MessageAttributes") { writer in
                writer.object { writer in
                    for (name, value) in message.attributes.sorted(by: { $0.key < $1.key }) {
                        writer.member(name) {
                            $0.object {
                                $0.member("Type", "String")
                                $0.member("Value", value)
                            }
                        }
                    }
                }
            }
        }
        return writer.bytes
    }

    /// An event as EventBridge delivers it to a queue.
    package static func event(_ event: BusEvent, id: String) -> [UInt8] {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.object {
            $0.member("version", "0")
            $0.member("id", id)
            $0.member("detail-type", event.detailType)
            $0.member("source", event.source)
            $0.member("account", "000000000000")
            $0.member("time", event.time)
            $0.member("region", "local")
            $0.member("resources") { $0.array { _ in } }
            $0.member("detail") { $0.raw(event.detail) }
        }
        return writer.bytes
    }

    /// The message inside a queue's body: raw, wrapped by SNS (`Message`), or by EventBridge (`detail`).
    ///
    /// - Throws: `JSONError` when the body or the message in it is no JSON.
    package static func content(of body: [UInt8]) throws(JSONError) -> JSONValue {
        let value = try JSONValue(body)
        if value["Type"]?.text == "Notification", let message = value["Message"]?.text {
            return try JSONValue(Array(message.utf8))
        }
        return value["detail"] ?? value
    }
}

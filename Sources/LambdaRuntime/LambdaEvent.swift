package import API
package import EventStore
package import Handlers

/// What a function is invoked with, told by its shape.
///
/// The shapes are those of https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html.
package enum LambdaEvent: Sendable {
    /// A request to the API, from API Gateway (REST proxy, payload version 1).
    case request(APIRequest)
    /// Messages of queues of SQS.
    case messages([QueuedMessage])
    /// Records of a change stream of DynamoDB, in the order of their shard.
    case records([ChangeRecord])
    /// A schedule's time has come.
    case schedule
    /// No records: a deployment asks whether the function works.
    case nothing

    /// A message with the name of its queue.
    package struct QueuedMessage: Sendable {
        /// The last part of the queue's ARN.
        package let queue: String
        package let message: ReceivedMessage
    }

    /// A record of a change stream.
    package struct ChangeRecord: Sendable {
        /// Its place in the shard, by which Lambda is told that it failed.
        package let sequenceNumber: String
        /// The record, as `GetRecords` of the stream gives it too.
        package let content: JSONValue
    }

    /// Reads an event.
    ///
    /// - Throws: when it has no shape that is known.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        let event = try JSONValue(bytes, maximumDepth: 64)
        if event["httpMethod"]?.text != nil, event["requestContext"] != nil {
            self = .request(try APIRequest(gateway: event))
        } else if event["source"]?.text == "aws.events", event["detail-type"]?.text == "Scheduled Event" {
            self = .schedule
        } else if case .array(let records)? = event["Records"] {
            self = try Self.batch(records)
        } else {
            throw JSONError("it is neither a request, nor a batch of records, nor a schedule's", at: 0)
        }
    }

    private static func batch(_ records: [JSONValue]) throws(JSONError) -> LambdaEvent {
        switch records.first?["eventSource"]?.text {
        case nil where records.isEmpty: return .nothing
        case "aws:sqs": return .messages(try records.map { record throws(JSONError) in try QueuedMessage(record) })
        case "aws:dynamodb": return .records(try records.map { record throws(JSONError) in try ChangeRecord(record) })
        case let source: throw JSONError("its records come from '\(source ?? "")', which is not read here", at: 0)
        }
    }
}

extension LambdaEvent.QueuedMessage {
    init(_ record: JSONValue) throws(JSONError) {
        guard let id = record["messageId"]?.text, let body = record["body"]?.text,
            let receipt = record["receiptHandle"]?.text,
            let queue = record["eventSourceARN"]?.text?.split(separator: ":").last
        else { throw JSONError("a message lacks its id, body, receipt or queue", at: 0) }
        let count = record["attributes"]?["ApproximateReceiveCount"]?.text.flatMap { Int($0) }
        self.queue = String(queue)
        message = ReceivedMessage(id: id, body: Array(body.utf8), receiveCount: count ?? 1, receipt: receipt)
    }
}

extension LambdaEvent.ChangeRecord {
    init(_ record: JSONValue) throws(JSONError) {
        guard let number = record["dynamodb"]?["SequenceNumber"]?.text else {
            throw JSONError("a record has no sequence number", at: 0)
        }
        (sequenceNumber, content) = (number, record)
    }
}

/// What a function answers to a batch of records: those that are to come again (`ReportBatchItemFailures`).
package enum BatchAnswer {
    /// - Parameter failed: ids of messages; or one sequence number, from which on a shard is read again.
    package static func bytes(failed: [String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("batchItemFailures") { writer in
                writer.array { writer in
                    for id in failed { writer.object { $0.member("itemIdentifier", id) } }
                }
            }
        }
        return writer.bytes
    }
}

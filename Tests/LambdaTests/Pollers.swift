import EventStore
import Foundation
import Handlers
import Synchronization
import TestPrograms

@testable import AWSEngine

/// Brings a queue's messages to a function, as Lambda's poller does with `ReportBatchItemFailures`.
struct QueuePoller: Sendable {
    let host: LambdaHost
    let client: AWSClient
    let queue: String

    /// Receives a batch, invokes the function, and deletes what did not fail.
    ///
    /// - Parameter deliveries: how often the batch is delivered, each time in another order, the last one counts.
    /// - Returns: how many messages there were, and how many of them are to come again.
    func poll(deliveries: Int = 1) async throws -> (received: Int, failed: Int) {
        let url = try await client.call(.sqs, "GetQueueUrl") { $0.member("QueueName", queue) }["QueueUrl"]?.text
        let messages =
            try await client.call(.sqs, "ReceiveMessage") { writer in
                writer.member("QueueUrl", url)
                writer.member("MaxNumberOfMessages", 10)
                // What meets an outage waits for this to run out; in a deployment it is 180 seconds.
                writer.member("VisibilityTimeout", 2)
                writer.member("AttributeNames") { $0.array { $0.string("All") } }
            }["Messages"]?.elements ?? []
        if messages.isEmpty { return (0, 0) }
        for _ in 1..<max(deliveries, 1) { _ = try await host.invoke(Self.event(messages.shuffled(), queue)) }
        let failed = try await Self.failed(messages, host.invoke(Self.event(messages, queue)))
        for message in messages where !failed.contains(message["MessageId"]?.text ?? "") {
            _ = try await client.call(.sqs, "DeleteMessage") { writer in
                writer.member("QueueUrl", url)
                writer.member("ReceiptHandle", message["ReceiptHandle"]?.text)
            }
        }
        return (messages.count, failed.count)
    }

    /// An event after the shape in AWS's documentation, "Using Lambda with Amazon SQS".
    static func event(_ messages: [JSONValue], _ queue: String) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("Records") { writer in
                writer.array { writer in for message in messages { record(message, queue, &writer) } }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func record(_ message: JSONValue, _ queue: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("messageId", message["MessageId"]?.text)
            writer.member("receiptHandle", message["ReceiptHandle"]?.text)
            writer.member("body", message["Body"]?.text)
            writer.member("attributes") { $0.value(message["Attributes"] ?? .object([])) }
            writer.member("messageAttributes") { $0.value(.object([])) }
            writer.member("md5OfBody", message["MD5OfBody"]?.text)
            writer.member("eventSource", "aws:sqs")
            writer.member("eventSourceARN", "arn:aws:sqs:us-east-1:000000000000:\(queue)")
            writer.member("awsRegion", "us-east-1")
        }
    }

    /// Lambda's rules: no list or an empty one is success; an unknown or empty id, or no JSON of that kind, is failure
    /// of all.
    private static func failed(_ messages: [JSONValue], _ outcome: LambdaHost.Outcome) -> Set<String> {
        let all = Set(messages.compactMap { $0["MessageId"]?.text })
        guard case .answered(let answer) = outcome else { return all }
        let failed = (answer["batchItemFailures"]?.elements ?? []).map { $0["itemIdentifier"]?.text ?? "" }
        return failed.allSatisfy(all.contains) ? Set(failed) : all
    }
}

/// Brings a table's change stream to a function, with what Lambda does when that fails: it tries again from the lowest
/// number that failed, halves a batch that fails as a whole, and gives records up after some tries.
final class ChangePoller: Sendable {
    /// What is known of records that were given up, as it is sent to the destination.
    struct GivenUp: Equatable, Sendable {
        let first: String
        let last: String
        let count: Int
    }

    private let host: LambdaHost
    private let client: AWSClient
    private let table: String
    private let batch: Int
    private let maximumRetries: Int
    private let iterator = Mutex<String?>(nil)
    private let lost = Mutex<[GivenUp]>([])
    private let log = Mutex<[[String]]>([])

    init(_ host: LambdaHost, _ client: AWSClient, table: String, batch: Int = 100, maximumRetries: Int = 10) {
        (self.host, self.client, self.table) = (host, client, table)
        (self.batch, self.maximumRetries) = (batch, maximumRetries)
    }

    /// What was given up.
    var givenUp: [GivenUp] { lost.withLock { $0 } }
    /// The sequence numbers of each invocation so far.
    var invocations: [[String]] { log.withLock { $0 } }

    /// Takes the next records to the function, as often as that takes.
    ///
    /// - Parameters:
    ///   - change: what is done to the records on their way: repeated, shuffled, damaged.
    ///   - disturb: what happens while the program has them in hand for the first time.
    /// - Returns: how many records there were.
    func poll(
        _ change: ([JSONValue]) -> [JSONValue] = { $0 },
        disturb: (RunningProgram) async throws -> Void = { _ in }
    ) async throws -> Int {
        var current = iterator.withLock { $0 }
        if current == nil { current = try await horizon() }
        let answer = try await client.call(.streams, "GetRecords") {
            $0.member("ShardIterator", current)
            $0.member("Limit", batch)
        }
        iterator.withLock { $0 = answer["NextShardIterator"]?.text }
        let records = answer["Records"]?.elements ?? []
        try await deliver(change(records), retries: 0, disturb: disturb)
        return records.count
    }

    private func horizon() async throws -> String? {
        let arn = try await client.call(.dynamoDB, "DescribeTable") { $0.member("TableName", table) }["Table"]?[
            "LatestStreamArn"]?.text
        let shards = try await client.call(.streams, "DescribeStream") { $0.member("StreamArn", arn) }
        // The emulator has one shard.
        let shard = shards["StreamDescription"]?["Shards"]?.elements.first?["ShardId"]?.text
        return try await client.call(.streams, "GetShardIterator") { writer in
            writer.member("StreamArn", arn)
            writer.member("ShardId", shard)
            writer.member("ShardIteratorType", "TRIM_HORIZON")
        }["ShardIterator"]?.text
    }

    private func deliver(
        _ records: [JSONValue], retries: Int, disturb: (RunningProgram) async throws -> Void = { _ in }
    ) async throws {
        guard let first = records.first, let last = records.last else { return }
        let numbers = records.map(Self.number)
        log.withLock { $0.append(numbers) }
        var rest = records[...]
        if case .answered(let answer) = try await host.invoke(Self.event(records), whileRunning: disturb) {
            let failed = (answer["batchItemFailures"]?.elements ?? []).map { $0["itemIdentifier"]?.text ?? "" }
            if failed.isEmpty { return }
            // The lowest number is where it goes on; one that is not of the batch fails all of it.
            if let place = numbers.firstIndex(where: failed.contains) { rest = records[place...] }
        }
        guard retries < maximumRetries else {
            let info = GivenUp(first: Self.number(rest.first ?? first), last: Self.number(last), count: rest.count)
            return lost.withLock { $0.append(info) }
        }
        // What a batch was cut down to is tried again as it is; one that failed whole is halved.
        if rest.count == records.count, rest.count > 1 {
            let middle = rest.startIndex + rest.count / 2
            try await deliver(Array(rest[..<middle]), retries: retries + 1)
            try await deliver(Array(rest[middle...]), retries: retries + 1)
        } else {
            try await deliver(Array(rest), retries: retries + 1)
        }
    }

    private static func number(_ record: JSONValue) -> String { record["dynamodb"]?["SequenceNumber"]?.text ?? "" }

    static func event(_ records: [JSONValue]) -> String {
        String(decoding: JSONValue.object([("Records", .array(records))]).bytes, as: UTF8.self)
    }
}

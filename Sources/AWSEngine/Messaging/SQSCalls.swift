import EventStore
import Handlers
import Synchronization

/// The calls on one queue of SQS, in batches of at most ten, whose entries may fail one by one.
final class SQSCalls: Sendable {
    private static let batch = 10
    private static let maximumWaitMilliseconds: Int64 = 20_000
    private static let maximumVisibilityMilliseconds: Int64 = 12 * 3_600_000
    /// How often entries of a batch that failed are sent again.
    private static let attempts = 4

    let client: AWSClient
    private let place: Place
    private let url = Mutex<String?>(nil)

    /// Where a queue is.
    enum Place: Sendable {
        /// By its name or URL.
        case named(String)
        /// Where another queue sends what was received too often.
        case deadLetters(of: SQSCalls)
    }

    init(_ client: AWSClient, _ place: Place) { (self.client, self.place) = (client, place) }

    /// A message as SQS gives it.
    struct Message: Sendable {
        let id: String
        let body: [UInt8]
        let receiveCount: Int
        let receipt: String
        let sentAt: Timestamp
    }

    private func call(
        _ operation: String, timeoutMilliseconds: Int = AWSClient.timeoutMilliseconds,
        _ parameters: (inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> JSONValue {
        try await answer(operation, timeoutMilliseconds: timeoutMilliseconds, parameters).value
    }

    private func answer(
        _ operation: String, timeoutMilliseconds: Int = AWSClient.timeoutMilliseconds,
        _ parameters: (inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> JSONAnswer {
        do throws(AWSError) {
            let url = try await queueURL()
            return try await client.answer(.sqs, operation, timeoutMilliseconds: timeoutMilliseconds) { writer in
                writer.member("QueueUrl", url)
                parameters(&writer)
            }
        } catch {
            throw error.asStoreError
        }
    }

    private func queueURL() async throws(AWSError) -> String {
        if let known = url.withLock({ $0 }) { return known }
        let found: String
        switch place {
        case .named(let url) where url.hasPrefix("https://") || url.hasPrefix("http://"): found = url
        case .named(let name): found = try await queueURL(of: name)
        case .deadLetters(let source): found = try await queueURL(of: try await source.deadLetterName())
        }
        url.withLock { $0 = found }
        return found
    }

    private func queueURL(of name: String) async throws(AWSError) -> String {
        let answer = try await client.answer(.sqs, "GetQueueUrl") { $0.member("QueueName", name) }
        guard let found = answer.value["QueueUrl"]?.text else {
            throw AWSError(.sqs, "GetQueueUrl", unreadable: answer, message: "the answer has no address")
        }
        return found
    }

    /// The name of the queue that takes what was received here too often.
    private func deadLetterName() async throws(AWSError) -> String {
        let url = try await queueURL()
        let answer = try await client.call(.sqs, "GetQueueAttributes") { writer in
            writer.member("QueueUrl", url)
            writer.member("AttributeNames") { $0.array { $0.string("RedrivePolicy") } }
        }
        let policy = answer["Attributes"]?["RedrivePolicy"]?.text.flatMap { try? JSONValue(Array($0.utf8)) }
        guard let name = policy?["deadLetterTargetArn"]?.text?.split(separator: ":").last else {
            throw AWSError(.misconfigured, .sqs, "GetQueueAttributes", message: "the queue has no dead-letter queue")
        }
        return String(name)
    }

    // MARK: Messages

    func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) {
        try await inBatches(messages, "SendMessageBatch") { message, writer in
            writer.member("MessageBody", String(decoding: message.body, as: UTF8.self))
            guard !message.attributes.isEmpty else { return }
            writer.member("MessageAttributes") { writer in
                writer.object { writer in
                    for (name, value) in message.attributes.sorted(by: { $0.key < $1.key }) {
                        writer.member(name) {
                            $0.object {
                                $0.member("DataType", "String")
                                $0.member("StringValue", value)
                            }
                        }
                    }
                }
            }
        }
    }

    func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [Message] {
        let wait = min(max(waitMilliseconds, 0), Self.maximumWaitMilliseconds)
        let answer = try await call(
            "ReceiveMessage", timeoutMilliseconds: AWSClient.timeoutMilliseconds + Int(wait)
        ) { writer in
            writer.member("MaxNumberOfMessages", min(limit, Self.batch))
            writer.member("WaitTimeSeconds", wait / 1000)
            writer.member("VisibilityTimeout", Self.seconds(visibilityMilliseconds))
            writer.member("MessageSystemAttributeNames") { writer in
                writer.array {
                    $0.string("ApproximateReceiveCount")
                    $0.string("SentTimestamp")
                }
            }
        }
        return (answer["Messages"]?.elements ?? []).compactMap { message in
            guard let id = message["MessageId"]?.text, let body = message["Body"]?.text,
                let receipt = message["ReceiptHandle"]?.text
            else { return nil }
            let attributes = message["Attributes"]
            return Message(
                id: id, body: Array(body.utf8),
                receiveCount: attributes?["ApproximateReceiveCount"]?.text.flatMap { Int($0) } ?? 1, receipt: receipt,
                sentAt: Timestamp(
                    milliseconds: attributes?["SentTimestamp"]?.text.flatMap { Int64($0) } ?? 0))
        }
    }

    func delete(_ receipts: [String]) async throws(EventStoreError) {
        let good = receipts.filter { !$0.isEmpty }
        try await inBatches(good, "DeleteMessageBatch", passingOver: Self.isPassedOver) { receipt, writer in
            writer.member("ReceiptHandle", receipt)
        }
    }

    /// Hides received messages for some time from now on. A receipt that ran out is passed over.
    func hide(_ receipts: [String], forMilliseconds milliseconds: Int64) async throws(EventStoreError) {
        try await inBatches(receipts, "ChangeMessageVisibilityBatch", passingOver: Self.isPassedOver) {
            $1.member("ReceiptHandle", $0)
            $1.member("VisibilityTimeout", Self.seconds(milliseconds))
        }
    }

    /// Makes a message that was received visible after a time. A receipt that ran out is passed over.
    func changeVisibility(_ receipt: String, toMilliseconds milliseconds: Int64) async throws(EventStoreError) {
        do throws(AWSError) {
            let url = try await queueURL()
            _ = try await client.call(.sqs, "ChangeMessageVisibility") { writer in
                writer.member("QueueUrl", url)
                writer.member("ReceiptHandle", receipt)
                writer.member("VisibilityTimeout", Self.seconds(milliseconds))
            }
        } catch {
            guard case .refused(let code) = error.code, Self.isPassedOver(code) else { throw error.asStoreError }
        }
    }

    /// SQS counts seconds; a message never comes earlier than asked for.
    private static func seconds(_ milliseconds: Int64) -> Int64 {
        (min(max(milliseconds, 0), maximumVisibilityMilliseconds) + 999) / 1000
    }

    /// Errors of a receipt that ran out, was used before, or is none.
    private static func isPassedOver(_ code: String) -> Bool {
        ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "InvalidIdFormat"].contains {
            code == $0 || code.hasSuffix(".\($0)")
        }
    }

    func counts() async throws(EventStoreError) -> (waiting: Int, inFlight: Int) {
        let names = [
            "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        let answer = try await call("GetQueueAttributes") { writer in
            writer.member("AttributeNames") { writer in writer.array { for name in names { $0.string(name) } } }
        }
        let numbers = names.map { answer["Attributes"]?[$0]?.text.flatMap { Int($0) } ?? 0 }
        return (numbers[0] + numbers[2], numbers[1])
    }

    // MARK: Batches

    /// Sends entries in batches, and those that failed again.
    ///
    /// - Parameter isPassedOver: of the code that an entry failed with, whether that is as good as success.
    private func inBatches<Entry>(
        _ entries: [Entry], _ operation: String, passingOver isPassedOver: (String) -> Bool = { _ in false },
        _ write: (Entry, inout JSONWriter) -> Void
    ) async throws(EventStoreError) {
        var rest = entries[...]
        while !rest.isEmpty {
            var batch = Array(rest.prefix(Self.batch))
            rest = rest.dropFirst(Self.batch)
            for attempt in 1... {
                let answer = try await send(batch, operation, write)
                let failed = try Self.failed(batch.count, operation, answer, isPassedOver)
                if failed.isEmpty { break }
                guard attempt < Self.attempts else {
                    throw EventStoreError(
                        .unavailable,
                        message: "sqs \(operation) failed for \(failed.count) entries of a batch\(answer.place)")
                }
                batch = failed.map { batch[$0] }
                await client.pause(afterAttempt: attempt, of: .sqs, "InternalError")
            }
        }
    }

    private func send<Entry>(
        _ entries: [Entry], _ operation: String, _ write: (Entry, inout JSONWriter) -> Void
    ) async throws(EventStoreError) -> JSONAnswer {
        try await answer(operation) { writer in
            writer.member("Entries") { writer in
                writer.array { writer in
                    for (place, entry) in entries.enumerated() {
                        writer.object { writer in
                            writer.member("Id", String(place))
                            write(entry, &writer)
                        }
                    }
                }
            }
        }
    }

    /// The places of entries that failed and may succeed another time. What an answer does not tell of has failed.
    private static func failed(
        _ count: Int, _ operation: String, _ answer: JSONAnswer, _ isPassedOver: (String) -> Bool
    ) throws(EventStoreError) -> [Int] {
        func place(_ entry: JSONValue) -> Int? {
            entry["Id"]?.text.flatMap { Int($0) }.flatMap { (0..<count).contains($0) ? $0 : nil }
        }
        var done = Set((answer.value["Successful"]?.elements ?? []).compactMap(place))
        for failure in answer.value["Failed"]?.elements ?? [] {
            guard let place = place(failure) else {
                throw EventStoreError(
                    .unavailable, message: "sqs \(operation) told of an entry that was not sent\(answer.place)")
            }
            let code = failure["Code"]?.text ?? ""
            if isPassedOver(code) {
                done.insert(place)
                continue
            }
            if failure["SenderFault"] == .boolean(true) {
                throw EventStoreError(
                    .invalid, message: "sqs \(operation) refused an entry with \(code)\(answer.place)")
            }
            done.remove(place)
        }
        return (0..<count).filter { !done.contains($0) }
    }
}

import Appointments
import EventStore
import Handlers
import Synchronization
import TestAWS
import Testing

@testable import AWSEngine

@Suite("Queues and bus of AWS", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct MessagingTests {
    /// A client of its own behind a proxy, with queues and bus made.
    private func client(
        _ react: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction = { _ in .forward }
    ) async throws -> (client: AWSClient, proxy: WireProxy) {
        let account = Emulator.account()
        let direct = try Emulator.client(account: account)
        try await Emulator.makeTables(direct)
        try await Emulator.makeMessaging(direct)
        let proxy = WireProxy(to: Emulator.port, react: react)
        return (try Emulator.client(account: account, through: proxy), proxy)
    }

    private func queue(_ client: AWSClient) -> SQSQueue {
        SQSQueue(client, .peru, names: AWSNames(), now: AWSClock.realTime)
    }

    private func texts(_ queue: SQSQueue) async throws -> [String] {
        try await queue.receive(limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 60_000)
            .map { String(decoding: $0.body, as: UTF8.self) }.sorted()
    }

    @Test("entries of a batch that fail are sent again, and those alone")
    func partialSend() async throws {
        let (client, proxy) = try await client { request in
            guard request.operation == "SendMessageBatch", request.number == 1 else { return .forward }
            return .answer(
                200, headers: [:],
                body: """
                    {"Successful":[{"Id":"0"},{"Id":"2"}],\
                    "Failed":[{"Id":"1","SenderFault":false,"Code":"InternalError"}]}
                    """)
        }
        let queue = queue(client)
        try await queue.send(["a", "b", "c"].map { OutgoingMessage(body: Array($0.utf8)) })
        let batches = proxy.requests.filter { $0.operation == "SendMessageBatch" }
        #expect(batches.count == 2)
        #expect(batches.last?.text.contains(#""MessageBody":"b""#) == true)
        #expect(batches.last?.text.contains(#""MessageBody":"a""#) == false)
        #expect(try await texts(queue) == ["b"])
    }

    @Test("an entry that is wrong by itself is invalid, and not sent again")
    func wrongEntry() async throws {
        let (client, proxy) = try await client { request in
            request.operation == "SendMessageBatch"
                ? .answer(
                    200, headers: [:],
                    body: #"{"Failed":[{"Id":"0","SenderFault":true,"Code":"InvalidMessageContents"}]}"#)
                : .forward
        }
        await #expect {
            try await queue(client).send([OutgoingMessage(body: [0x61])])
        } throws: {
            ($0 as? EventStoreError)?.code == .invalid
        }
        #expect(proxy.count("SendMessageBatch") == 1)
    }

    @Test(
        "what SQS does not say that it took is not taken",
        arguments: [
            "", "{}", #"{"Successful":[{"Id":"1"}]}"#,
            #"{"Failed":[{"Id":"7","SenderFault":false,"Code":"InternalError"}]}"#,
            #"{"Failed":[{"Id":"0","Code":"InvalidParameterValue"}],"Successful":[{"Id":"1"}]}"#,
            #"{"Failed":[{"Id":"0","SenderFault":true,"Code":"InvalidIdFormat"}],"Successful":[{"Id":"1"}]}"#,
        ])
    func untold(answer: String) async throws {
        let (client, proxy) = try await client { request in
            request.operation == "SendMessageBatch"
                ? .answer(200, headers: ["x-amzn-RequestId": "batch-1"], body: answer) : .forward
        }
        let error = await #expect(throws: EventStoreError.self) {
            try await queue(client).send([OutgoingMessage(body: [0x61]), OutgoingMessage(body: [0x62])])
        }
        let isInvalid = answer.contains("true")
        #expect(error?.code == (isInvalid ? .invalid : .unavailable))
        #expect(error?.message.contains("request id batch-1") == true)
        #expect(proxy.count("SendMessageBatch") == (isInvalid || answer.contains("7") ? 1 : 4))
    }

    @Test("a receipt that ran out is passed over where a message is deleted or hidden")
    func passedOver() async throws {
        let (client, proxy) = try await client { request in
            ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"].contains(request.operation)
                ? .answer(
                    200, headers: [:],
                    body: #"{"Failed":[{"Id":"0","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}]}"#) : .forward
        }
        let calls = SQSCalls(client, .named("appointments-pe"))
        try await calls.delete(["old"])
        try await calls.hide(["old"], forMilliseconds: 1000)
        #expect(proxy.count("DeleteMessageBatch") == 1 && proxy.count("ChangeMessageVisibilityBatch") == 1)
    }

    @Test("a hundred messages go in batches of ten, and come out in as many")
    func batches() async throws {
        let (client, proxy) = try await client()
        let queue = queue(client)
        try await queue.send((0..<100).map { OutgoingMessage(body: Array("\($0)".utf8)) })
        #expect(proxy.count("SendMessageBatch") == 10)
        var receipts: [String] = []
        while receipts.count < 100 {
            let page = try await queue.receive(limit: 100, waitMilliseconds: 0, visibilityMilliseconds: 60_000)
            receipts += page.map(\.receipt)
            #expect((1...10).contains(page.count))
        }
        try await queue.delete(receipts)
        #expect(proxy.count("DeleteMessageBatch") == 10)
        #expect(try await queue.depth() == QueueDepth(waiting: 0, inFlight: 0, dead: 0, tellsAges: false))
    }

    @Test("a receive waits for the first message")
    func longPoll() async throws {
        let (client, proxy) = try await client()
        let (queue, sender) = (queue(client), queue(client))
        async let received = queue.receive(limit: 10, waitMilliseconds: 20_000, visibilityMilliseconds: 60_000)
        while proxy.count("ReceiveMessage") == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await sender.send([OutgoingMessage(body: Array("late".utf8))])
        #expect(try await received.map(\.body) == [Array("late".utf8)])
        #expect(proxy.count("ReceiveMessage") == 1)
    }

    @Test("an event that EventBridge did not take, though it took the call, is put again")
    func partialPut() async throws {
        let (client, proxy) = try await client { request in
            guard request.operation == "PutEvents", request.number <= 2 else { return .forward }
            let code = request.number == 1 ? "ThrottlingException" : "InternalFailure"
            return .answer(200, headers: [:], body: #"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"\#(code)"}]}"#)
        }
        let event = BusEvent(
            source: "medical.appointment", detailType: BusMessage.errorType,
            detail: Array(#"{"status":"FAILED"}"#.utf8), time: Timestamp(milliseconds: 1_772_470_800_000))
        try await EventBridgeBus(client, name: Emulator.bus).put(event)
        #expect(proxy.count("PutEvents") == 3)
        let errors = SQSQueue(client, .error, names: AWSNames(), now: AWSClock.realTime)
        #expect(try await errors.depth().waiting == 1)
    }

    @Test("what EventBridge does not say that it took is not taken", arguments: ["", "{}", #"{"Entries":[{}]}"#])
    func untoldPut(answer: String) async throws {
        let (client, proxy) = try await client { request in
            request.operation == "PutEvents"
                ? .answer(200, headers: ["x-amzn-RequestId": "put-1"], body: answer) : .forward
        }
        let event = BusEvent(
            source: "s", detailType: "t", detail: Array("{}".utf8), time: Timestamp(milliseconds: 0))
        let error = await #expect(throws: EventStoreError.self) {
            try await EventBridgeBus(client, name: Emulator.bus).put(event)
        }
        #expect(error?.code == .unavailable && error?.message.contains("request id put-1") == true)
        #expect(proxy.count("PutEvents") == 4)
    }

    @Test("an event that EventBridge can't read is invalid")
    func malformed() async throws {
        let (client, proxy) = try await client { request in
            request.operation == "PutEvents"
                ? .answer(
                    200, headers: [:], body: #"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail"}]}"#)
                : .forward
        }
        let event = BusEvent(
            source: "s", detailType: "t", detail: Array("no JSON".utf8), time: Timestamp(milliseconds: 0))
        await #expect {
            try await EventBridgeBus(client, name: Emulator.bus).put(event)
        } throws: {
            ($0 as? EventStoreError)?.code == .invalid
        }
        #expect(proxy.count("PutEvents") == 1)
    }
}

@Suite("The ring of keys under KMS", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct KMSKeyRingTests {
    private func key(_ client: AWSClient) async throws -> String {
        let made = try await client.call(.kms, "CreateKey") { _ in }
        return try #require(made["KeyMetadata"]?["KeyId"]?.text)
    }

    @Test("all processes open the ring that the first one has made, also of many at once")
    func same() async throws {
        let account = Emulator.account()
        let client = try Emulator.client(account: account)
        try await Emulator.makeTables(client)
        let key = try await key(client)
        let secrets = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<8 {
                group.addTask { try await KMSKeyRing.open(client, tables: .init(), key: key).secret(for: "test") }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(secrets.count == 1)
        let proxy = WireProxy(to: Emulator.port)
        let later = try Emulator.client(account: account, through: proxy)
        let ring = try await KMSKeyRing.open(later, tables: .init(), key: key)
        #expect(secrets == [ring.secret(for: "test")])
        #expect(proxy.requests.map(\.operation) == ["GetItem", "Decrypt"])
    }

    @Test("the master key is stored nowhere in clear")
    func wrapped() async throws {
        let account = Emulator.account()
        let direct = try Emulator.client(account: account)
        try await Emulator.makeTables(direct)
        let key = try await key(direct)
        let proxy = WireProxy(to: Emulator.port)
        let client = try Emulator.client(account: account, through: proxy)
        _ = try await KMSKeyRing.open(client, tables: .init(), key: key)
        let keys = proxy.answers.compactMap { answer in (try? JSONValue(answer.body))?["Plaintext"]?.text }
        let plain = try #require(keys.first)
        let put = try #require(proxy.requests.first { $0.operation == "PutItem" })
        #expect(!put.text.contains(plain))
        #expect(put.text.contains("wrappedKey"))
    }
}

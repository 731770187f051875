import EventStore
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

@Suite("Events in DynamoDB", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct EventStoreTests {
    private let stream = Samples.stream(1)

    /// A store of its own behind a proxy.
    private func store(
        _ react: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction = { _ in .forward }
    ) async throws -> (store: DynamoDBEventStore, proxy: WireProxy) {
        let account = Emulator.account()
        try await Emulator.makeTables(try Emulator.client(account: account))
        let proxy = WireProxy(to: Emulator.port, react: react)
        return (DynamoDBEventStore(try Emulator.client(account: account, through: proxy), tables: .init()), proxy)
    }

    private func operations(_ proxy: WireProxy) -> [String] { proxy.requests.map(\.operation) }

    @Test("an append is one conditional write, after one read unless it begins the stream")
    func calls() async throws {
        let (store, proxy) = try await store()
        _ = try await store.append([Samples.event(1, "requested")], to: stream, expecting: .empty)
        #expect(operations(proxy) == ["PutItem"])
        proxy.forget()
        _ = try await store.append([Samples.event(2)], to: stream, expecting: .version(1))
        #expect(operations(proxy) == ["Query", "PutItem"])
        proxy.forget()
        _ = try await store.append([Samples.event(3)], to: stream, expecting: .any)
        #expect(operations(proxy) == ["Query", "PutItem"])
    }

    @Test("a retry and a refusal cost one read and one write at most")
    func refusals() async throws {
        let (store, proxy) = try await store()
        for number in 1...4 {
            _ = try await store.append([Samples.event(number)], to: stream, expecting: .version(number - 1))
        }
        for (number, expectation, calls) in [
            (1, Expectation.empty, ["PutItem"]), (9, .empty, ["PutItem", "Query"]), (3, .version(2), ["Query"]),
            (9, .version(2), ["Query"]),
        ] {
            proxy.forget()
            _ = try? await store.append([Samples.event(number)], to: stream, expecting: expectation)
            #expect(operations(proxy) == calls)
        }
        #expect(try await store.count() == 4)
    }

    @Test("a writer who is overtaken between its read and its write learns so without another read")
    func overtaken() async throws {
        let account = Emulator.account()
        let direct = DynamoDBEventStore(try Emulator.client(account: account), tables: .init())
        try await Emulator.makeTables(direct.table.client)
        _ = try await direct.append([Samples.event(1)], to: stream, expecting: .empty)
        let stream = stream
        let proxy = WireProxy(to: Emulator.port) { request in
            guard request.operation == "PutItem" else { return .forward }
            // Somebody else writes the version first.
            let written = Errand.run {
                try await direct.append([Samples.event(8)], to: stream, expecting: .version(1))
            }
            return written ? .forward : .cut
        }
        let store = DynamoDBEventStore(try Emulator.client(account: account, through: proxy), tables: .init())
        await #expect {
            try await store.append([Samples.event(9)], to: stream, expecting: .version(1))
        } throws: {
            ($0 as? EventStoreError)?.code == .conflict(expected: .version(1), actual: 2)
        }
        #expect(operations(proxy) == ["Query", "PutItem"])
    }

    @Test("an appointment's four events use four units of write and three of read")
    func capacity() async throws {
        let (store, proxy) = try await store()
        let personal = [try Samples.sealed(stream)]
        _ = try await store.append(
            [Samples.event(1, "requested", personal: personal)], to: stream, expecting: .empty)
        for (number, type) in [(2, "routed"), (3, "country-processed"), (4, "completed")] {
            _ = try await store.append([Samples.event(number, type)], to: stream, expecting: .version(number - 1))
        }
        #expect(operations(proxy).count { $0 == "PutItem" } == 4)
        #expect(operations(proxy).count { $0 == "Query" } == 3)
        #expect(try proxy.units().allWrites == 4)
        #expect(try proxy.units().allReads == 3)
    }

    @Test(
        "an append whose answer is lost succeeds and is stored once",
        arguments: [WireProxy.Reaction.failAfterWrite, .cutAfterWrite])
    func lostAnswer(reaction: WireProxy.Reaction) async throws {
        let (store, proxy) = try await store { request in
            ["PutItem", "TransactWriteItems"].contains(request.operation) && request.number % 2 == 1
                ? reaction : .forward
        }
        #expect(
            try await store.append([Samples.event(1)], to: stream, expecting: .empty).map(\.version) == [1])
        #expect(
            try await store.append([Samples.event(2)], to: stream, expecting: .version(1)).map(\.version) == [2])
        #expect(try await store.append([Samples.event(3)], to: stream, expecting: .any).map(\.version) == [3])
        let both = [Samples.event(4), Samples.event(5)]
        #expect(try await store.append(both, to: stream, expecting: .version(3)).map(\.version) == [4, 5])
        #expect(try await store.read(stream).map(\.entry.id) == (1...5).map(Samples.id))
        #expect(proxy.count("PutItem") == 6)
    }

    @Test("throttling, conflicts, cuts and slow answers lose nothing and cost less than three calls for one")
    func weather() async throws {
        let (store, proxy) = try await store { request in
            switch (request.operation, request.number % 16) {
            case (_, 1): .throttle
            case ("PutItem", 4): .refuse("TransactionConflictException")
            case (_, 7): .failAfterWrite
            case (_, 10): .cutAfterWrite
            case (_, 13): .slow(milliseconds: 5, .forward)
            default: .forward
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...12 {
                group.addTask {
                    let stream = Samples.stream(number)
                    for version in 1...4 {
                        let event = Samples.event(number * 100 + version)
                        // A call that met four faults in a row is repeated, as every handler's caller does.
                        for _ in 0..<3 {
                            let stored = try? await store.append(
                                [event], to: stream, expecting: .version(version - 1))
                            if stored != nil { break }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let faultFree = 12 * 4 + 12 * 3
        #expect(proxy.requests.count < 3 * faultFree)
        for number in 1...12 {
            let ids = try await store.read(Samples.stream(number)).map(\.entry.id)
            #expect(ids == (1...4).map { Samples.id(number * 100 + $0) })
        }
        #expect(try await store.count() == 48)
    }

    @Test("a store that stays away is unavailable, and says which call it was")
    func outage() async throws {
        let (store, proxy) = try await store { _ in .refuse("InternalServerError", status: 500) }
        await #expect {
            try await store.append([Samples.event(1)], to: stream, expecting: .empty)
        } throws: {
            let error = $0 as? EventStoreError
            return error?.code == .unavailable
                && error?.message.contains("dynamodb PutItem was refused with InternalServerError after 4 tries")
                    == true
        }
        #expect(proxy.count("PutItem") == 4)
    }

    @Test("an item that was changed in the table is corrupt")
    func tampered() async throws {
        let (store, proxy) = try await store()
        defer { withExtendedLifetime(proxy) {} }
        _ = try await store.append([Samples.event(1)], to: stream, expecting: .empty)
        _ = try await store.table.call("UpdateItem") { writer in
            writer.member("Key") { writer in
                writer.object {
                    $0.attribute("streamId", text: stream.description)
                    $0.attribute("version", number: 1)
                }
            }
            writer.member("UpdateExpression", "SET entry = :entry")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object { $0.attribute(":entry", bytes: Array("{}".utf8)) }
            }
        }
        await #expect {
            try await store.read(stream)
        } throws: {
            ($0 as? EventStoreError)?.code == .corrupt
        }
    }

    @Test("a stream of more than a page is read whole")
    func pages() async throws {
        let (store, proxy) = try await store()
        let large = NewEvent(
            type: "routed", schema: 1, id: Samples.id(1), at: Timestamp(milliseconds: 0), country: "PE", actor: "a",
            correlation: "c", causation: nil, data: Array(#"{"x":"\#(String(repeating: "x", count: 55_000))"}"#.utf8))
        for batch in 0..<3 {
            _ = try await store.append(
                Array(repeating: large, count: 10), to: stream, expecting: .version(batch * 10))
        }
        proxy.forget()
        #expect(try await store.read(stream).map(\.version) == Array(1...30))
        #expect(proxy.count("Query") == 2)
    }
}

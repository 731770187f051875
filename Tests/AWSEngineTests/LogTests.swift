import EventStore
import Projections
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

@Suite("The events of the table in some order", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct LogTests {
    private static let streams = 12

    /// A log behind a proxy, over a few streams of three events.
    private func log() async throws -> (log: DynamoDBScan, proxy: WireProxy) {
        let account = Emulator.account()
        let direct = try Emulator.client(account: account)
        try await Emulator.makeTables(direct)
        let store = DynamoDBEventStore(direct, tables: .init())
        for number in 1...Self.streams {
            let events = (0..<3).map { Samples.event(number * 10 + $0, $0 == 0 ? "requested" : "routed") }
            _ = try await store.append(events, to: Samples.stream(number), expecting: .empty)
        }
        let proxy = WireProxy(to: Emulator.port)
        let client = try Emulator.client(account: account, through: proxy)
        return (DynamoDBScan(client, tables: .init()), proxy)
    }

    @Test("a look reads the table once, a stream costs one unit, and events by position one request for a hundred")
    func cost() async throws {
        let (log, proxy) = try await log()
        let count = Self.streams * 3
        #expect(try await log.head() == count)
        // One part of the table a request; each is rounded up to whole units.
        #expect(proxy.requests.map(\.operation) == Array(repeating: "Scan", count: 8))
        let look = try proxy.units().allReads
        proxy.forget()
        let bytes = try await log.events(after: 0, limit: .max).map { $0.entry.bytes.count }.reduce(0, +)
        #expect(look > 0 && look <= Double(bytes) * 1.5 / 4096 + 8, "\(look) units")
        // What a batch of reads costs the emulator does not tell; with AWS it is a unit an event.
        #expect(proxy.requests.map(\.operation) == ["BatchGetItem"])
        proxy.forget()
        let range = try #require(try await log.range(after: nil, events: .max))
        #expect(try await log.events(in: range).count == count)
        #expect(proxy.requests.map(\.operation) == Array(repeating: "Query", count: Self.streams))
        #expect(try proxy.units().allReads == Double(Self.streams))
        proxy.forget()
        #expect(try await log.counts().map(\.count) == [Self.streams, 2 * Self.streams])
        let routed = try await log.events(
            matching: EventFilter(type: "routed", streams: [Samples.stream(3)]), after: 0, limit: 10)
        #expect(routed.map(\.version) == [2, 3])
        #expect(proxy.requests.map(\.operation) == ["BatchGetItem"])
    }

    @Test("a range that was begun by another run goes on behind any stream, whether or not it is there")
    func resumed() async throws {
        let (log, proxy) = try await log()
        let range = try #require(try await log.range(after: Samples.stream(4), events: 4))
        #expect(range.through == Samples.stream(6))
        #expect(try await log.events(in: range).map(\.stream) == [5, 5, 5, 6, 6, 6].map(Samples.stream))
        let before = StreamID(Identifier(high: 0x7000, low: 1 << 63))
        #expect(try await log.range(after: before, events: 1)?.through == Samples.stream(1))
        #expect(try await log.range(after: Samples.stream(Self.streams), events: 1) == nil)
        #expect(try await log.events(in: .only(Samples.stream(2))).map(\.version) == [1, 2, 3])
        #expect(try await log.events(in: .only(Samples.stream(99))).isEmpty)
        let rest = try await log.events(in: .rest(after: Samples.stream(11)))
        #expect(rest.map(\.stream) == [12, 12, 12].map(Samples.stream))
        // It goes with its last holder.
        #expect(proxy.count("Scan") > 0)
    }
}

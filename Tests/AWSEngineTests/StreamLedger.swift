import Appointments
import EventStore
import Handlers
import Logging
import Synchronization
import TestAWS
import TestEngines

@testable import AWSEngine

/// A consumer that keeps what it is given.
final class StreamSink: Sendable {
    private struct State {
        var events: [RecordedEvent] = []
        var tamperings: [Tampering] = []
        var refusals = 0
    }

    private let state = Mutex(State())

    var ids: [Identifier] { state.withLock { $0.events.map(\.entry.id) } }
    var tamperings: [Tampering] { state.withLock { $0.tamperings } }

    /// Refuses so many batches from now on.
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

    var consumer: ChangeConsumer {
        ChangeConsumer("sink") { events, tamperings throws(EventStoreError) in
            let isRefused = self.state.withLock { state in
                state.refusals -= 1
                if state.refusals >= 0 { return true }
                state.events += events
                state.tamperings += tamperings
                return false
            }
            if isRefused { throw EventStoreError(.unavailable, message: "the sink is closed") }
        } lagging: { versions throws(EventStoreError) in
            let held = self.state.withLock { state in
                Dictionary(state.events.map { ($0.stream.appointment, $0.version) }, uniquingKeysWith: max)
            }
            return Set(versions.filter { held[$0.key] ?? 0 < $0.value }.keys)
        }
    }
}

/// The events table of a new account, and followers of its change stream behind a proxy.
final class StreamLedger: Sendable {
    let store: DynamoDBEventStore
    let proxy: WireProxy
    let client: AWSClient
    let sink = StreamSink()
    let clock = TestClock()
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private let box: Box

    init() async throws {
        let account = Emulator.account()
        let direct = try Emulator.client(account: account)
        try await Emulator.makeTables(direct)
        store = DynamoDBEventStore(direct, tables: .init())
        let box = Box()
        proxy = WireProxy(to: Emulator.port) { box.react($0) }
        self.box = box
        client = try Emulator.client(account: account, through: proxy, clock: .quick { [clock] in clock.uptime })
    }

    /// The proxy's reaction, which changes in the course of a test.
    private final class Box: Sendable {
        private let reaction = Mutex<@Sendable (WireProxy.Request) -> WireProxy.Reaction>({ _ in .forward })
        func react(_ request: WireProxy.Request) -> WireProxy.Reaction { reaction.withLock { $0 }(request) }
        func set(_ new: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) {
            reaction.withLock { $0 = new }
        }
    }

    func react(_ new: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) { box.set(new) }

    /// A follower as a process has it that has just begun.
    func follower(_ sink: StreamSink? = nil) -> DynamoDBChanges {
        DynamoDBChanges(client, tables: .init(), consumer: (sink ?? self.sink).consumer, now: { self.clock.now })
    }

    func putForeign(_ stream: String, version: Int) async throws {
        _ = try await store.table.call("PutItem") { writer in
            writer.member("Item") { $0.object { Self.key(stream, version, &$0) } }
        }
    }

    func deleteForeign(_ stream: String, version: Int) async throws {
        _ = try await store.table.call("DeleteItem") { writer in
            writer.member("Key") { $0.object { Self.key(stream, version, &$0) } }
        }
    }

    private static func key(_ stream: String, _ version: Int, _ writer: inout JSONWriter) {
        writer.attribute("streamId", text: stream)
        writer.attribute("version", number: version)
    }

    func append(_ numbers: ClosedRange<Int>) async throws {
        for number in numbers {
            _ = try await store.append([Samples.event(number)], to: Samples.stream(number), expecting: .empty)
        }
    }
}

extension DynamoDBChanges {
    /// Steps until nothing comes any more.
    func drain() async throws {
        while try await step() > 0 {}
    }
}

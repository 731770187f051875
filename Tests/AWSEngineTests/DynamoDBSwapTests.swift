import Appointments
import EventStore
import Glibc
import Projections
import Replay
import Synchronization
import TestAWS
import TestEngines
import Testing

@testable import AWSEngine

/// What a swap row by row has to withstand that a swap of two tables has not.
@Suite("A swap in DynamoDB", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct DynamoDBSwapTests {
    private let now = Samples.noon

    /// A ledger whose sets are reached through a proxy, whose reaction changes in the course of a test.
    private final class Ledger: Sendable {
        let engine: TestEngine
        let proxy: WireProxy
        let views: DynamoDBAppointmentView
        let sets: DynamoDBViewCopies
        private let reaction: Reaction

        private final class Reaction: Sendable {
            let react = Mutex<@Sendable (WireProxy.Request) -> WireProxy.Reaction>({ _ in .forward })
        }

        init() async throws {
            let account = Emulator.account()
            engine = try await .aws(clock: HandClock(), try Emulator.client(account: account))
            let reaction = Reaction()
            proxy = WireProxy(to: Emulator.port) { request in reaction.react.withLock { $0 }(request) }
            self.reaction = reaction
            let (client, clock) = (try Emulator.client(account: account, through: proxy), engine.clock)
            views = DynamoDBAppointmentView(client, tables: .init())
            sets = DynamoDBViewCopies(client, tables: .init(), people: engine.people, now: clock.now)
        }

        func react(_ new: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) {
            proxy.forget()
            reaction.react.withLock { $0 = new }
        }

        func rebuild(_ projection: Projection = .appointments) -> Rebuild {
            Rebuild(
                scan: engine.scan, feed: engine.feed, sets: sets, people: engine.people, projection: projection)
        }

        /// Takes an appointment's events into the live view, as the consumer of the change stream does.
        func follow(_ stream: StreamID) async throws {
            let runner = ProjectionRunner(
                feed: nil, store: engine.store, views: engine.projections, people: engine.people)
            let changes = try await runner.take(
                in: try await engine.store.read(stream), parked: [], now: Samples.noon)
            try await engine.projections.put(changes.rows, parking: [], by: ProjectionRunner.projection)
        }
    }

    /// Something that happens once, and that a proxy's thread waits for, 20 seconds at most.
    private final class Flag: Sendable {
        private let state = Mutex(false)

        var isSet: Bool { state.withLock { $0 } }

        func set() { state.withLock { $0 = true } }

        func wait() { for _ in 0..<10_000 where !isSet { usleep(2000) } }
    }

    /// A rule of another number, that makes other rows.
    private static let other = Projection(ConsumerName("appointments", number: 2)) {
        (event, row, insured) throws(EventStoreError) in
        var next = try AppointmentProjection.project(event, onto: row, insured: insured)
        next.failure = .init(reason: .slotTaken, message: "version \(event.version)")
        return next
    }

    @Test("a row that moves while the set is put in place keeps its last state, folded by the rule of the set")
    func moving() async throws {
        let ledger = try await Ledger()
        let stream = Samples.appointment(1).stream
        for number in 1...3 {
            let stream = Samples.appointment(number).stream
            _ = try await ledger.engine.store.append([try Samples.requested(number)], to: stream, expecting: .empty)
            try await ledger.follow(stream)
        }
        try await ledger.rebuild(Self.other).build(ViewCopy.next, now: now)
        let (begun, appended) = (Flag(), Flag())
        // The ids of the live rows are read after the last look at the events, and before the first row is put.
        ledger.react { request in
            if request.operation == "Scan", request.text.contains(#""appointments""#) {
                begun.set()
                appended.wait()
            }
            return .forward
        }
        async let outcome = ledger.sets.swap(
            ViewCopy.next, with: Self.other, keepingAs: nil, coversAll: true, now: now)
        for _ in 0..<10_000 where !begun.isSet { try await Task.sleep(for: .milliseconds(2)) }
        _ = try await ledger.engine.store.append([Samples.later(9)], to: stream, expecting: .version(1))
        try await ledger.follow(stream)
        appended.set()
        #expect(begun.isSet)
        #expect(try await outcome == .swapped(position: 3))
        let row = try #require(try await ledger.engine.views.row(stream.appointment))
        #expect(row.version == 2)
        #expect(row.failure?.message == "version 2")
        #expect(try await ledger.views.pausedAt(ProjectionRunner.projection) == now)
    }

    @Test("whoever reads while rows are written and replaced never sees an appointment go back")
    func readers() async throws {
        let ledger = try await Ledger()
        let history = try await RandomHistory.write(to: ledger.engine, streams: 5, seed: 31)
        for row in history.rows { try await ledger.follow(row.appointment.stream) }
        let isOver = Mutex(false)
        let views = ledger.engine.projections
        let ids = history.rows.map(\.appointment)
        async let steps: Int = {
            var (seen, count) = ([AppointmentID: Int](), 0)
            while !isOver.withLock({ $0 }) {
                let rows = try await views.rows(of: ids)
                #expect(rows.count == ids.count)
                for (id, row) in rows {
                    #expect(row.version >= seen[id] ?? 0)
                    seen[id] = row.version
                }
                count += 1
            }
            return count
        }()
        for round in 0..<2 {
            try await ledger.rebuild(round % 2 == 0 ? Self.other : .appointments).build(ViewCopy.next, now: now)
            let more = try await RandomHistory.write(to: ledger.engine, streams: 5, seed: UInt64(40 + round))
            async let traffic: Void = {
                for row in more.rows { try await ledger.follow(row.appointment.stream) }
            }()
            _ = try await ledger.rebuild(round % 2 == 0 ? Self.other : .appointments).swap(
                ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
            try await traffic
        }
        isOver.withLock { $0 = true }
        #expect(try await steps > 0)
    }

    @Test("a swap that is killed anywhere is given again and ends the same; the old rows are kept as they were")
    func killed() async throws {
        var isDone = false
        for allowed in stride(from: 0, to: 200, by: 5) where !isDone {
            let ledger = try await Ledger()
            let history = try await RandomHistory.write(to: ledger.engine, streams: 3, seed: 33)
            for row in history.rows { try await ledger.follow(row.appointment.stream) }
            try await ledger.rebuild(Self.other).build(ViewCopy.next, now: now)
            ledger.react { request in request.number > allowed && request.operation == "PutItem" ? .cut : .forward }
            do throws(EventStoreError) {
                _ = try await ledger.sets.swap(
                    ViewCopy.next, with: Self.other, keepingAs: ViewCopy.kept, coversAll: true, now: now)
                isDone = true
            } catch {
                try #require(error.code == .unavailable)
            }
            ledger.react { _ in .forward }
            if !isDone {
                _ = try await ledger.sets.swap(
                    ViewCopy.next, with: Self.other, keepingAs: ViewCopy.kept, coversAll: true, now: now)
            }
            let rows = try await ledger.engine.allRows()
            #expect(rows.map(\.failure?.message) == history.rows.map { "version \($0.version)" })
            #expect(try await ledger.sets.sets().map(\.name) == [ViewCopy.kept])
            let found = try await ledger.sets.compare(ViewCopy.kept, limit: 10)
            #expect(found.first.map(\.rebuilt) == history.rows)
        }
        #expect(isDone)
    }

    @Test("what DynamoDB leaves over of a batch is sent again; when it takes nothing at all, that is said")
    func leftOver() async throws {
        let ledger = try await Ledger()
        let history = try await RandomHistory.write(to: ledger.engine, streams: 30, seed: 34)
        ledger.react { request in
            guard request.number % 2 == 1, let rest = Self.leftOver(request) else { return .forward }
            return .answer(200, headers: [:], body: rest)
        }
        try await ledger.rebuild().build(ViewCopy.next, now: now)
        _ = try await ledger.sets.swap(
            ViewCopy.next, with: .appointments, keepingAs: nil, coversAll: true, now: now)
        #expect(ledger.proxy.count("BatchWriteItem") > 2 && ledger.proxy.count("BatchGetItem") > 1)
        #expect(try await ledger.engine.allRows() == history.rows)
        ledger.react { request in
            Self.leftOver(request).map { .answer(200, headers: [:], body: $0) } ?? .forward
        }
        let views = ledger.views
        #expect(await failure { try await views.rows(of: history.rows.map(\.appointment)) } == .unavailable)
        #expect(ledger.proxy.count("BatchGetItem") < 20)
    }

    /// The answer to a batch of which nothing was done.
    private static func leftOver(_ request: WireProxy.Request) -> String? {
        guard ["BatchGetItem", "BatchWriteItem"].contains(request.operation),
            let wanted = try? JSONValue(request.body)["RequestItems"]
        else { return nil }
        let text = String(decoding: wanted.bytes, as: UTF8.self)
        return request.operation == "BatchGetItem"
            ? #"{"Responses":{},"UnprocessedKeys":\#(text)}"# : #"{"UnprocessedItems":\#(text)}"#
    }
}

import API
import Appointments
import EventStore
import Foundation
import Projections
import Synchronization
import TestEngines
import Testing

/// What is told of the consumers of the feed: over SQLite, which knows when each checkpoint moved.
@Suite struct StatusTests {
    private let view = ProjectionRunner.projection

    /// A ledger whose status looks at the machine's clock, moved by hand.
    private final class Ledger: Sendable {
        let engine: TestEngine
        let feed: any EventFeed
        private let ahead = Mutex(Int64(0))

        init(_ feed: (TestEngine) -> any EventFeed = { $0.feed }) throws {
            engine = try .sqlite(clock: HandClock())
            self.feed = feed(engine)
        }

        var now: Timestamp {
            Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000) + ahead.withLock { $0 })
        }

        func advance(seconds: Int64) { ahead.withLock { $0 += seconds * 1000 } }

        func append(_ numbers: ClosedRange<Int>) async throws {
            for number in numbers {
                _ = try await engine.store.append(
                    [try Samples.requested(number)], to: Samples.appointment(number).stream, expecting: .empty)
            }
        }

        /// - Parameter lastRound: says when a worker last came to the end of the change stream, where one is followed.
        func readiness(_ lastRound: LastRound? = nil) async throws -> Readiness {
            try await LedgerStatus(
                feed: feed, views: engine.views, checkpoints: engine.projections, control: engine.control,
                sets: engine.sets, projections: [ProjectionRunner.projection], audit: engine.audit, queues: [:],
                sweeps: engine.sweepLog, lastRound: lastRound, now: { [self] in now }
            ).readiness()
        }

        func status() async throws -> ConsumerStatus { try #require(try await readiness().projections.first) }
    }

    /// A feed one of whose events can't be read.
    private struct UnreadableFeed: EventFeed {
        let inner: any EventFeed

        func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
            throw EventStoreError(.corrupt, message: "position \(position + 1) can't be read")
        }

        func head() async throws(EventStoreError) -> Int { try await inner.head() }
    }

    @Test("a view that moves is live, and it is told when it moved last; one that stands still is stalled")
    func stalled() async throws {
        let ledger = try Ledger()
        try await ledger.append(1...3)
        var status = try await ledger.status()
        #expect(status.state == .live && status.lag == 0 && status.lastError == nil)
        let moved = try #require(status.movedAt)
        #expect(abs(ledger.now.milliseconds - moved.milliseconds) < 60_000)
        try await ledger.engine.control.pause(view, at: ledger.now)
        try await ledger.append(4...5)
        #expect(try await ledger.status().state == .paused)
        _ = try await ledger.engine.control.resume(view)
        #expect(try await ledger.status().state == .catchingUp)
        ledger.advance(seconds: 31)
        status = try await ledger.status()
        #expect(status.state == .stalled && status.isStalled && status.lag == 2 && status.movedAt == moved)
    }

    @Test("behind a change stream a projection is what the workers' rounds say, and unknown without them")
    func changeStream() async throws {
        let ledger = try Ledger()
        let cases: [(Int64?, ConsumerStatus.State)] = [
            (nil, .unknown), (60, .live), (200, .stalled), (90_000, .unknown),
        ]
        for (seconds, state) in cases {
            let seen = seconds.map { ledger.now.adding(milliseconds: -$0 * 1000) }
            let readiness = try await ledger.readiness { () throws(EventStoreError) in seen }
            let status = try #require(readiness.projections.first)
            #expect(status.state == state && status.lag == nil && status.isStalled == (state == .stalled))
            #expect(readiness.reasons.isEmpty == (state != .stalled))
        }
        try await ledger.engine.control.pause(view, at: ledger.now)
        let paused = try await ledger.readiness { () throws(EventStoreError) in nil }
        #expect(paused.projections.first?.state == .paused)
    }

    @Test("a set is being made as long as it moves, and not when it was left")
    func rebuilding() async throws {
        let ledger = try Ledger()
        try await ledger.append(1...2)
        _ = try await ledger.engine.sets.begin(ViewCopy.next, of: view, head: 2, now: Samples.noon)
        #expect(try await ledger.status().state == .rebuilding)
        let moved = try #require(try await ledger.engine.sets.sets().first?.moved)
        #expect(abs(ledger.now.milliseconds - moved.milliseconds) < 60_000)
        ledger.advance(seconds: 60)
        #expect(try await ledger.status().state == .rebuilding)
        ledger.advance(seconds: 90)
        #expect(try await ledger.status().state == .live)
    }

    @Test("a set that is being made hides no stalled view")
    func stalledBesideSet() async throws {
        let ledger = try Ledger()
        try await ledger.append(1...2)
        try await ledger.engine.control.pause(view, at: ledger.now)
        try await ledger.append(3...4)
        _ = try await ledger.engine.control.resume(view)
        _ = try await ledger.engine.sets.begin(ViewCopy.next, of: view, head: 4, now: Samples.noon)
        #expect(try await ledger.status().state == .rebuilding)
        ledger.advance(seconds: 31)
        #expect(try await ledger.status().state == .stalled)
    }

    @Test("the last error says why a view stands still, else why it parked an appointment")
    func lastError() async throws {
        let ledger = try Ledger { UnreadableFeed(inner: $0.feed) }
        try await ledger.append(1...2)
        let parked = [(1, "old"), (2, "new")].map { number, reason in
            ParkedEvent(
                appointment: Samples.appointment(number), version: 9, reason: reason,
                at: Samples.noon.adding(milliseconds: Int64(number)))
        }
        try await ledger.engine.projections.put([], parking: parked, by: view)
        #expect(try await ledger.status().lastError == "new")
        try await ledger.engine.control.pause(view, at: ledger.now)
        try await ledger.append(3...3)
        _ = try await ledger.engine.control.resume(view)
        ledger.advance(seconds: 31)
        let readiness = try await ledger.readiness()
        #expect(readiness.projections.first?.lastError == "position 3 can't be read")
        #expect(readiness.reasons.first?.hasSuffix("1 events behind: position 3 can't be read") == true)
    }

    @Test("a checkpoint that is further than the last event is no live view")
    func raised() async throws {
        let ledger = try Ledger()
        try await ledger.append(1...2)
        _ = try await ledger.engine.projections.commit(ProjectionCommit(checkpoint: 99), of: view, expecting: 2)
        let status = try await ledger.status()
        #expect(status.state == .stalled && status.isStalled && status.lastError?.contains("ledger repair") == true)
    }
}

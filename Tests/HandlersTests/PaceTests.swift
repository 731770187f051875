import EventStore
import Handlers
import MemoryEngine
import Replay
import Synchronization
import Testing

/// Rates, by a clock that only sleeping turns.
@Suite struct PaceTests {
    /// What was done, in its order.
    private final class Record: Sendable {
        private let state = Mutex<(steps: [String], now: Duration)>(([], .zero))

        var steps: [String] { state.withLock { $0.steps } }

        func add(_ step: String) { state.withLock { $0.steps.append(step) } }

        func pace(_ rate: Int?) -> Pace {
            Pace(
                rate, now: { [self] in state.withLock { $0.now } },
                sleep: { [self] duration in
                    state.withLock { state in
                        state.steps.append("sleep \(Int(duration / .milliseconds(1)))")
                        state.now += duration
                    }
                })
        }
    }

    /// Letters that say when they are moved.
    private struct Letters: DeadLetters {
        let inner: MemoryMessaging
        let record: Record

        func list(_ queue: QueueName?, limit: Int) async throws(EventStoreError) -> [DeadLetter] {
            try await inner.list(queue, limit: limit)
        }

        func letter(_ id: String) async throws(EventStoreError) -> DeadLetter? { try await inner.letter(id) }

        func redrive(_ ids: [String]) async throws(EventStoreError) -> Int {
            record.add("redrive \(ids.count)")
            return try await inner.redrive(ids)
        }

        func remove(_ id: String) async throws(EventStoreError) -> Bool { try await inner.remove(id) }
    }

    private func letters(_ count: Int, _ record: Record) async throws -> Letters {
        let clock = World.Clock()
        let messaging = MemoryMessaging(now: { clock.now })
        let queue = messaging.queue(.peru)
        try await queue.send((0..<count).map { OutgoingMessage(body: Array("\($0)".utf8)) })
        for _ in 0...QueueSettings.maximumReceives {
            for _ in 0...count / 10 {
                _ = try await queue.receive(limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 1000)
            }
            clock.advance(milliseconds: 1000)
        }
        let letters = Letters(inner: messaging, record: record)
        try #require(try await letters.list(nil, limit: 100).count == count)
        return letters
    }

    private let later = Timestamp(milliseconds: Timestamp.bounds.upperBound)

    @Test("letters of a queue go a quarter of a second's share at a time, and it waits behind each")
    func queue() async throws {
        let record = Record()
        let redrive = RedriveRun(try await letters(12, record), pace: record.pace(20), limit: nil)
        #expect(try await redrive.letters(of: .peru, deadBy: later) == 12)
        #expect(record.steps == ["redrive 5", "sleep 250", "redrive 5", "sleep 250", "redrive 2", "sleep 100"])
    }

    @Test("no more than the limit go, by queue and by id")
    func limit() async throws {
        var record = Record()
        var letters = try await letters(12, record)
        #expect(
            try await RedriveRun(letters, pace: record.pace(nil), limit: 7).letters(of: nil, deadBy: later) == 7)
        #expect(record.steps == ["redrive 7"])
        record = Record()
        letters = try await self.letters(12, record)
        let ids = try await letters.list(nil, limit: 100).map(\.id)
        #expect(try await RedriveRun(letters, pace: record.pace(8), limit: 3).letters(ids) == 3)
        #expect(record.steps == ["redrive 2", "sleep 250", "redrive 1"])
    }

    @Test("parked appointments go one by one, at the same pace and up to the same limit")
    func parked() async throws {
        let record = Record()
        let redrive = RedriveRun(try await letters(1, record), pace: record.pace(4), limit: 3)
        let count = try await redrive.each(["a", "b", "c", "d"]) { record.add($0) }
        #expect(count == 3)
        #expect(record.steps == ["a", "sleep 250", "b", "sleep 250", "c"])
    }

    @Test("a line of progress tells the speed since it was first looked at, not of what was done before")
    func progress() {
        var line = ProgressLine()
        #expect(line.text(600, of: 1000, "events", after: 2) == "60 %  600 of 1000 events")
        #expect(line.text(700, of: 1000, "events", after: 4) == "70 %  700 of 1000 events, 50/s, 6 s left")
        #expect(line.text(10, of: 20, "appointments", after: 5) == "50 %  10 of 20 appointments")
        #expect(line.text(15, of: 20, "appointments", after: 6) == "75 %  15 of 20 appointments, 5/s, 1 s left")
        #expect(line.text(1, of: .max, "events", after: 7) == "0 %  1 of 9223372036854775807 events")
    }
}

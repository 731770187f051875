import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import MemoryEngine
import Synchronization
import Testing

@Suite struct PumpTests {
    /// Longer than the limit of a test: a wait that nothing else ends is a failure.
    private static let forever: Int64 = 600_000

    @Test("a ring between looking and waiting is not lost", .timeLimit(.minutes(5)))
    func ring() async {
        let bell = Doorbell(alarm: .real)
        let seen = bell.rings
        bell.ring()
        await bell.wait(since: seen, atMostMilliseconds: Self.forever)
        #expect(bell.rings == seen + 1)
    }

    @Test("all who wait are woken, a time-out ends the wait, and so does a cancelled task", .timeLimit(.minutes(5)))
    func wakes() async {
        let bell = Doorbell(alarm: .real)
        await bell.wait(since: bell.rings, atMostMilliseconds: 1)
        #expect(bell.rings == 0)
        let woken = await withTaskGroup(of: UInt64.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await bell.wait(since: 0, atMostMilliseconds: Self.forever)
                    return bell.rings
                }
            }
            try? await Task.sleep(for: .milliseconds(5))
            bell.ring()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(woken == Array(repeating: 1, count: 50))
        let task = Task { await bell.wait(since: bell.rings, atMostMilliseconds: Self.forever) }
        task.cancel()
        await task.value
    }
}

/// A country's database before whose claims something happens.
struct DelayedCountry: CountryDatabase {
    let database: any CountryDatabase
    let beforeClaim: @Sendable (SlotClaim) async throws(EventStoreError) -> Void

    func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try await beforeClaim(claim)
        return try await database.claim(claim)
    }

    func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        try await database.release(appointment, at: now)
    }

    func add(_ slots: [Slot]) async throws(EventStoreError) { try await database.add(slots) }

    func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow] {
        try await database.schedules(after: schedule, limit: limit)
    }

    func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim] {
        try await database.claims(after: appointment, limit: limit)
    }

    func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool { try await database.putBack(claim) }
}

/// An alarm whose time is the clock of a world, and that rings when it is turned. It knows the looks of a pump at what
/// it keeps hidden; what else the pump waits for is rung for.
private final class TurnedAlarm: Sendable {
    private let clock: World.Clock
    private let waits = Mutex<[(milliseconds: Int64, ring: @Sendable () -> Void)]>([])

    init(_ clock: World.Clock) { self.clock = clock }

    var alarm: Alarm {
        Alarm { [clock] in
            clock.now.milliseconds
        } set: { [self] milliseconds, ring in
            if milliseconds <= 45_000, milliseconds > 1000 { waits.withLock { $0.append((milliseconds, ring)) } }
            return {}
        }
    }

    var looks: [Int64] { waits.withLock { $0.map(\.milliseconds) } }

    /// The wait before a look, once the pump waits for it.
    func look(_ number: Int) async throws -> (milliseconds: Int64, ring: @Sendable () -> Void) {
        while waits.withLock({ $0.count }) < number { try await Task.sleep(for: .milliseconds(1)) }
        return waits.withLock { $0[number - 1] }
    }

    /// Lets the time until a look pass, and the pump look.
    func turn(toLook number: Int) async throws {
        let look = try await look(number)
        clock.advance(milliseconds: look.milliseconds)
        look.ring()
    }
}

/// A queue that twice does not hide what it is told to.
private final class ForgetfulQueue: MessageQueue {
    private let queue: any MessageQueue
    private let failures = Mutex(2)

    init(queue: any MessageQueue) { self.queue = queue }

    func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) { try await queue.send(messages) }

    func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        try await queue.receive(
            limit: limit, waitMilliseconds: waitMilliseconds, visibilityMilliseconds: visibilityMilliseconds)
    }

    func delete(_ receipts: [String]) async throws(EventStoreError) { try await queue.delete(receipts) }

    func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        let fails = failures.withLock { left in
            left -= 1
            return left >= 0
        }
        if fails { throw EventStoreError(.unavailable, message: "the queue does not answer") }
        try await queue.hide(receipts, forMilliseconds: forMilliseconds)
    }

    func retry(_ receipt: String, afterMilliseconds: Int64, reason: String) async throws(EventStoreError) {
        try await queue.retry(receipt, afterMilliseconds: afterMilliseconds, reason: reason)
    }

    func depth() async throws(EventStoreError) -> QueueDepth { try await queue.depth() }
}

@Suite struct OutageTests {
    @Test("a batch that takes long stays hidden, so that nobody else begins with it", .timeLimit(.minutes(5)))
    func longWork() async throws {
        let world = try World()
        try world.list(1)
        let id = try await world.ask(1)
        _ = try await world.router.step(limit: 10)
        let gate = Doorbell(alarm: .real)
        let country = DelayedCountry(database: try #require(world.countries[.peru])) { _ throws(EventStoreError) in
            await gate.wait(since: 0, atMostMilliseconds: 600_000)
        }
        let queue = world.messaging.queue(.peru)
        // Rung by hand: the time is the test's.
        let turned = TurnedAlarm(world.clock)
        let pump = QueuePump(
            .peru, queue: queue, performer: world.performer(with: country), alarm: turned.alarm, logger: world.logger)
        let stop = Stop(alarm: .real)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            while try await queue.depth().inFlight == 0 { try await Task.sleep(for: .milliseconds(1)) }
            for count in 1...10 { try await turned.turn(toLook: count) }
            _ = try await turned.look(11)
            // Two and a half times its visibility have passed.
            #expect(try await queue.depth().inFlight == 1)
            gate.ring()
            while world.types(id).count < 3 { try await Task.sleep(for: .milliseconds(2)) }
            stop.request()
        }
        #expect(try await counts(of: queue) == [0, 0, 0])
    }

    @Test("a batch that could not be kept hidden is hidden anew while it still is", .timeLimit(.minutes(5)))
    func hiddenAgain() async throws {
        let world = try World()
        try world.list(1)
        _ = try await world.ask(1)
        _ = try await world.router.step(limit: 10)
        let gate = Doorbell(alarm: .real)
        let country = DelayedCountry(database: try #require(world.countries[.peru])) { _ throws(EventStoreError) in
            await gate.wait(since: 0, atMostMilliseconds: 600_000)
        }
        let queue = ForgetfulQueue(queue: world.messaging.queue(.peru))
        let turned = TurnedAlarm(world.clock)
        let pump = QueuePump(
            .peru, queue: queue, performer: world.performer(with: country), alarm: turned.alarm, logger: world.logger)
        let stop = Stop(alarm: .real)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            while try await queue.depth().inFlight == 0 { try await Task.sleep(for: .milliseconds(1)) }
            for count in 1...7 { try await turned.turn(toLook: count) }
            _ = try await turned.look(8)
            #expect(turned.looks.prefix(5) == [45_000, 5000, 5000, 45_000, 45_000])
            // Almost four minutes have passed, and it was hidden for all of them.
            #expect(try await queue.depth().inFlight == 1)
            gate.ring()
            stop.request()
        }
    }

    @Test(
        "when part of a batch meets an outage only that is tried again, and it is not charged a receive",
        .timeLimit(.minutes(5)))
    func partly() async throws {
        let world = try World()
        for schedule in 1...3 as ClosedRange<Int64> { try world.list(schedule, medic: schedule) }
        var ids: [AppointmentID] = []
        for schedule in 1...3 as ClosedRange<Int64> {
            ids.append(try await world.ask(schedule, insured: "0000\(schedule)"))
        }
        _ = try await world.router.step(limit: 10)
        let peru = try #require(world.countries[.peru])
        let outages = Mutex(3)
        let struck = try world.schedule(2)
        let country = DelayedCountry(database: peru) { claim throws(EventStoreError) in
            let isOut = outages.withLock { left in
                guard claim.schedule == struck, left > 0 else { return false }
                left -= 1
                return true
            }
            if isOut { throw EventStoreError(.unavailable, message: "the country does not answer") }
        }
        let performer = world.performer(with: country)
        let queue = world.messaging.queue(.peru)
        let pump = QueuePump(.peru, queue: queue, performer: performer, logger: world.logger)
        let stop = Stop(alarm: .real)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await pump.run(until: stop, batch: 10, waitMilliseconds: 0) }
            while ids.contains(where: { world.types($0).count < 3 }) { try? await Task.sleep(for: .milliseconds(2)) }
            stop.request()
        }
        // All of the batch was handled in its one receive: nothing waits, is hidden, or is dead.
        #expect(try await counts(of: queue) == [0, 0, 0])
        #expect(
            ids.map { world.types($0) } == Array(repeating: ["requested", "routed", "country-processed"], count: 3))
    }
}

@Suite struct LogTests {
    private final class Lines: Sendable {
        let all = Mutex<[[UInt8]]>([])
    }

    private func log(_ message: Logger.Message, _ metadata: Logger.Metadata) throws -> JSONValue {
        let lines = Lines()
        let handler = JSONLogHandler(
            service: "ledger", logLevel: .info, now: { Timestamp(milliseconds: 1_795_504_253_123) },
            write: { line in lines.all.withLock { $0.append(line) } })
        Logger(label: "test", factory: { _ in handler }).notice(message, metadata: metadata)
        let line = try #require(lines.all.withLock { $0.first })
        #expect(line.last == 10)
        #expect(line.count { $0 == 10 } == 1)
        return try JSONValue(Array(line.dropLast()))
    }

    @Test("a record is one JSON object on one line, whatever is in it")
    func shape() throws {
        let record = try log("two\nlines \u{1B}[31m", ["requestId": "r-1", "b": "\"", "a": "x"])
        #expect(
            String(decoding: record.bytes, as: UTF8.self)
                == #"""
                {"timestamp":"2026-11-24T07:10:53.123Z","level":"NOTICE","requestId":"r-1","service":"ledger",\#
                "message":"two\u000alines \u001b[31m","data":{"a":"x","b":"\""}}
                """#
        )
    }

    @Test("text is cut to 128 bytes, not inside a character, and an insured id is masked whoever put it there")
    func cut() throws {
        let record = try log("é", ["long": "\(String(repeating: "é", count: 100))x", "insuredId": "00123"])
        #expect(record["data"]?["long"]?.text == String(repeating: "é", count: 64))
        #expect(record["data"]?["insuredId"]?.text == "***23")
        let nested = try log("x", ["request": ["insuredId": "00123"], "all": [["insuredId": "00123"]]])
        #expect(!String(decoding: nested.bytes, as: UTF8.self).contains("00123"))
        #expect(JSONLogHandler.cut("a" + String(repeating: "é", count: 64)).utf8.count == 127)
    }
}

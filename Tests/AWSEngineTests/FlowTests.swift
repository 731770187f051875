import Appointments
import EventStore
import Handlers
import Logging
import MemoryEngine
import Projections
import TestAWS
import Testing

@testable import AWSEngine

@Suite("The flow on AWS", .enabled(if: Emulator.isThere, Comment(rawValue: Emulator.reason)))
struct FlowTests {
    /// A ledger on AWS whose country's database is in memory.
    private struct Ledger {
        let proxy: WireProxy
        let store: DynamoDBEventStore
        let views: DynamoDBAppointmentView
        let performer: Performer
        let stream: DynamoDBChanges
        let queues: [QueueName: SQSQueue]
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

        init(_ react: @escaping @Sendable (WireProxy.Request) -> WireProxy.Reaction) async throws {
            let account = Emulator.account()
            let direct = try Emulator.client(account: account)
            let tables = DynamoDBTables()
            try await Emulator.makeTables(direct, tables)
            try await Emulator.makeMessaging(direct)
            let key = try #require(
                try await direct.call(.kms, "CreateKey") { _ in }["KeyMetadata"]?["KeyId"]?.text)
            let keys = try await KMSKeyRing.open(direct, tables: tables, key: key)
            proxy = WireProxy(to: Emulator.port, react: react)
            let client = try Emulator.client(account: account, through: proxy)
            let now = AWSClock.realTime
            store = DynamoDBEventStore(client, tables: tables)
            views = DynamoDBAppointmentView(client, tables: tables)
            let directory = DynamoDBSubjectDirectory(client, tables: tables)
            let peru = MemoryCountryDatabase(.peru, owners: ScheduleOwners())
            try peru.addNow([Slot(schedule: try Self.schedule, center: 1, specialty: 1, medic: 1, date: Self.morning)])
            performer = Performer(
                store: store,
                subjects: SubjectKeys(
                    directory: directory, keys: keys, random: { (0..<$0).map { _ in .random(in: 0...255) } }),
                countries: [.peru: peru], topics: SNSTopics(client),
                bus: EventBridgeBus(client, name: Emulator.bus), now: now)
            let handler = ChangeHandler(
                router: RouterPump(feed: nil, checkpoints: views, performer: performer, logger: logger),
                runner: ProjectionRunner(
                    feed: nil, store: store, views: views, people: PersonResolver(directory: directory, keys: keys)),
                views: views, control: views)
            stream = DynamoDBChanges(
                client, tables: tables,
                consumer: .routerAndViews(
                    handler, views: views, alarm: TamperAlarm(signs: views, logger: logger), now: now), now: now)
            queues = Dictionary(
                uniqueKeysWithValues: QueueName.allCases.map { name in
                    (name, SQSQueue(client, name, names: AWSNames(), now: now))
                })
        }

        static var schedule: ScheduleID { get throws { try #require(ScheduleID(100)) } }

        /// A Wednesday in a week or two, 10:00 in Lima.
        static var morning: Timestamp {
            var day = Int(AWSClock.realTime().milliseconds / 86_400_000) + 7
            while CivilDate(daysSinceEpoch: day).weekday != 3 { day += 1 }
            return Timestamp(milliseconds: Int64(day) * 86_400_000 + 15 * 3_600_000)
        }

        /// Asks for the slot.
        func ask() async throws -> AppointmentID {
            let id = AppointmentID(at: performer.now(), random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
            let intake = Intake(
                Intake.Wish(
                    insured: try #require(InsuredID("00123")),
                    request: Requested(schedule: try Self.schedule, country: .peru), actor: "test", correlation: "c"),
                ids: Intake.NewIDs(
                    appointment: id, event: Identifier(high: .random(in: 0 ... .max), low: 1),
                    nonce: (0..<12).map { _ in .random(in: 0...255) }))
            while true {
                // Repeated as a client does who got no answer; the ids make it the same request.
                if case .accepted? = try? await performer.run(intake) { return id }
            }
        }

        /// One round of what a worker does: stream, then queues. What fails is left for the next round.
        func work() async {
            _ = try? await stream.step()
            for (name, queue) in queues {
                guard
                    let messages = try? await queue.receive(
                        limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 60_000), !messages.isEmpty
                else { continue }
                let pump = QueuePump(name, queue: queue, performer: performer, logger: logger)
                let failed = (try? await pump.handle(messages).map(\.message.receipt)) ?? messages.map(\.receipt)
                try? await queue.delete(messages.map(\.receipt).filter { !failed.contains($0) })
                for receipt in failed { try? await queue.retry(receipt, afterMilliseconds: 0, reason: "a fault") }
            }
        }
    }

    @Test("while the view is held appointments go on, and the view takes in what it has missed once it is resumed")
    func held() async throws {
        let ledger = try await Ledger { _ in .forward }
        try await ledger.views.pause(ProjectionRunner.projection, at: ledger.performer.now())
        let id = try await ledger.ask()
        var events: [RecordedEvent] = []
        for _ in 0..<40 where events.count < 4 {
            await ledger.work()
            events = try await ledger.store.read(id.stream)
        }
        #expect(events.count == 4)
        await ledger.work()
        #expect(try await ledger.views.row(id) == nil)
        #expect(try await ledger.views.resume(ProjectionRunner.projection))
        // The stream has nothing new to tell; the next appointment brings the one that waits along.
        _ = try await ledger.ask()
        for _ in 0..<5 { await ledger.work() }
        #expect(try await ledger.views.row(id)?.version == 4)
    }

    @Test(
        "an appointment goes from request to completion through stream, topic, queues and bus, in any weather",
        arguments: [false, true])
    func completed(inBadWeather: Bool) async throws {
        let ledger = try await Ledger { request in
            // The answer of a receive is not lost here: its messages would stay hidden for a minute.
            guard inBadWeather, request.operation != "ReceiveMessage" else { return .forward }
            return switch request.number % 12 {
            case 2: .throttle
            case 5: .failAfterWrite
            case 8: .cutAfterWrite
            case 11: .refuse("ServiceUnavailable", status: 503)
            default: .forward
            }
        }
        let id = try await ledger.ask()
        var row: AppointmentRow?
        for _ in 0..<40 where row?.status != .completed {
            await ledger.work()
            row = try? await ledger.views.row(id)
        }
        let events = try await ledger.store.read(id.stream)
        #expect(events.map(\.entry.type) == ["requested", "routed", "country-processed", "completed"])
        #expect(row?.status == .completed)
        #expect(row?.version == 4)
        #expect(row?.insured == InsuredID("00123"))
        #expect(
            try await ledger.views.rows(RowFilter(insured: InsuredID("00123")), after: nil, offset: 0, limit: 5) == [
                row
            ])
        // Nothing that went by but the view's rows and the directory names the person; a stream's sequence number of
        // twenty digits may hold the same five.
        let leaks = ledger.proxy.requests.filter { request in
            request.text.contains(#/\b00123\b/#)
                && !["appointments", "subjects"].contains { request.text.contains("\"\($0)\"") }
        }
        #expect(leaks.map(\.operation) == [])
    }
}

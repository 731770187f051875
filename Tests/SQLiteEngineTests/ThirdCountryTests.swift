import API
import Appointments
import EventStore
import Handlers
import Logging
import MemoryEngine
import Projections
import SQLiteEngine
import TestEngines
import Testing

/// A country that is added to a copy of the table is one everywhere, without another line of the program.
@Suite struct ThirdCountryTests {
    /// Bolivia: Tuesday to Saturday from 9 to 17, at UTC-4.
    private static let bolivia = CountryFacts(
        code: "BO", hours: [nil, nil] + Array(repeating: .from(9, to: 17), count: 5),
        clock: LocalClock(minutes: -240), firstDemoSlot: 2001)

    @Test("an appointment of a third country is asked for, routed, claimed in SQLite, and completed")
    func books() async {
        // A process has one table of countries, so this is one of its own.
        await #expect(processExitsWith: .success) {
            CountryTable.begin(with: CountryTable(CountryTable.released.rows + [ThirdCountryTests.bolivia]))
            try await ThirdCountryTests.bookInBolivia()
        }
    }

    @Test("a table that comes after the first question for a country is refused")
    func tooLate() async {
        await #expect(processExitsWith: .failure) {
            _ = Country.allCases
            CountryTable.begin(with: CountryTable([ThirdCountryTests.bolivia]))
        }
    }

    @Test("the tables of this program are those of Peru and Chile, by their names as they are stored and deployed")
    func released() {
        #expect(Country.allCases.map(\.code) == ["PE", "CL"])
        #expect(Country.list == "PE or CL")
        #expect(
            QueueName.allCases.map(\.rawValue)
                == ["appointments-pe", "appointments-cl", "appointments-completion", "appointments-error"])
        #expect(TopicName.allCases.map(\.rawValue) == ["appointments", "appointments-pe", "appointments-cl"])
        #expect(
            EventRule.all.map(\.name)
                == ["AppointmentProcessedPERule", "AppointmentProcessedCLRule", "AppointmentErrorRule"])
        #expect(
            EventRule.all.map(\.source)
                == ["medical.appointment.pe", "medical.appointment.cl", "medical.appointment"])
        #expect(Country(rawValue: "BO") == nil && QueueName(rawValue: "appointments-bo") == nil)
    }

    private static func bookInBolivia() async throws {
        let bolivia = try #require(Country(rawValue: "BO"))
        let ledger = try TestEngine.sqlite(clock: HandClock())
        let file = try SQLiteFile(path: try ScratchFile().path)
        let database = SQLiteCountryDatabase(file, bolivia)
        // Tuesday 3 March 2026, 9:00 in La Paz; the evening before nobody books.
        let open = Slot(
            schedule: try Samples.schedule(2001), center: 1, specialty: 1, medic: 1,
            date: try #require(Timestamp("2026-03-03T13:00:00Z")))
        let closed = try Samples.slot(2002, at: try #require(Timestamp("2026-03-03T12:00:00Z")))
        try await database.add([open, closed])
        let performer = Performer(
            store: ledger.store,
            subjects: SubjectKeys(directory: ledger.directory, keys: ledger.keyRing, random: Self.random),
            countries: [bolivia: database], topics: ledger.topics, bus: ledger.bus, now: ledger.clock.now)
        let api = Self.api(ledger, performer)
        func ask(_ insured: String, _ schedule: Int, _ country: String) async -> APIResponse {
            await api.respond(
                to: APIRequest(
                    method: "POST", path: "/appointments", query: "",
                    headers: [(name: "Content-Type", value: "application/json")],
                    body: Array(
                        #"{"insuredId":"\#(insured)","scheduleId":\#(schedule),"countryISO":"\#(country)"}"#.utf8),
                    remoteAddress: "127.0.0.1", requestID: "r"))
        }
        for (insured, schedule) in [("00001", 2001), ("00002", 2001), ("00003", 2002)] {
            #expect(await ask(insured, schedule, "BO").status == 201)
        }
        let refused = await ask("00004", 2001, "AR")
        #expect(refused.status == 400)
        #expect(String(decoding: refused.body, as: UTF8.self).contains("PE, CL or BO"))
        try await Self.settle(ledger, performer)
        let runner = ProjectionRunner(
            feed: ledger.feed, store: ledger.store, views: ledger.projections, people: ledger.people)
        while try await runner.step(now: ledger.clock.now()) > 0 {}
        let rows = try await ledger.allRows()
        #expect(rows.map(\.country) == [bolivia, bolivia, bolivia])
        #expect(rows.filter { $0.status == .completed }.map(\.schedule) == [open.schedule])
        #expect(
            Set(rows.compactMap(\.failure?.reason)) == [.slotTaken, .outsideOpeningHours])
        #expect(try await database.claims(after: nil, limit: 9).map(\.schedule) == [open.schedule])
        #expect(try await ledger.country(.peru).claims(after: nil, limit: 9).isEmpty)
    }

    private static let random: @Sendable (Int) -> [UInt8] = { (0..<$0).map { _ in .random(in: 0...255) } }

    private static func api(_ ledger: TestEngine, _ performer: Performer) -> API {
        let status = LedgerStatus(
            feed: ledger.feed, views: ledger.views, checkpoints: ledger.projections,
            projections: [ProjectionRunner.projection], audit: ledger.audit,
            queues: Dictionary(uniqueKeysWithValues: QueueName.allCases.map { ($0, ledger.queues($0)) }),
            sweeps: ledger.sweepLog, now: ledger.clock.now)
        return API(
            performer: performer, views: ledger.views, log: ledger.audit, people: ledger.people,
            progress: ViewProgress(feed: ledger.feed, checkpoints: ledger.projections), audit: ledger.audit,
            histories: ledger.store, trail: MemoryAccessLog(), authenticator: Authenticator(keys: ledger.keys),
            status: StatusWatch(status), secrets: ledger.keyRing, elapsed: { .zero }, random: random,
            logger: Logger(label: "test"))
    }

    /// Routes and handles until nothing waits in any queue.
    private static func settle(_ ledger: TestEngine, _ performer: Performer) async throws {
        let logger = Logger(label: "test")
        let router = RouterPump(
            feed: ledger.feed, checkpoints: ledger.projections, performer: performer, logger: logger)
        while true {
            var moved = try await router.step(limit: 100)
            for name in QueueName.allCases {
                let queue = ledger.queues(name)
                let messages = try await queue.receive(limit: 10, waitMilliseconds: 0, visibilityMilliseconds: 60_000)
                let pump = QueuePump(name, queue: queue, performer: performer, logger: logger)
                #expect(try await pump.handle(messages).isEmpty)
                try await queue.delete(messages.map(\.receipt))
                moved += messages.count
            }
            if moved == 0 { return }
        }
    }
}

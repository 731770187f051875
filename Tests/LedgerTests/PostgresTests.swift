import Appointments
import Foundation
import Handlers
import PostgresEngine
import RawHTTP
import TestPostgres
import TestPrograms
import Testing

/// The program with the countries' databases in PostgreSQL.
@Suite(.serialized, .enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct PostgresTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let slots = """
        scheduleId,countryISO,centerId,specialtyId,medicId,date
        100,PE,4,3,2,2046-11-26T15:00:00Z
        101,PE,4,3,2,2046-11-26T15:30:00Z
        2000,CL,1,1,1,2046-11-26T15:00:00Z

        """

    private func count(_ sql: String, in pool: PostgresPool) async throws -> Int? {
        try await pool.use { try $0.row(sql) { try $0.int(0) } }
    }

    @Test("migrate brings every database up that the environment names, and refuses an edited step")
    func migrate() async throws {
        let (countries, ledger) = (try await TestCluster.emptyDatabase(), try await TestCluster.emptyDatabase())
        let environment = ["RDS_URL": countries.url, "RDS_URL_LEDGER": ledger.url]
        func run(_ verb: String) async throws -> LedgerBinary.Outcome {
            try await LedgerBinary.run("migrate", verb, environment: environment)
        }
        let before = try await run("status")
        #expect(before.status == 3)
        #expect(before.lines.allSatisfy { $0.contains(#""state":"pending","appliedAt":null"#) })
        let up = try await run("up")
        #expect(up.status == 0 && up.lines.count == before.lines.count)
        #expect(up.output.contains("001-clinical.sql") && up.output.contains("002-entries.sql"))
        let after = try await run("status")
        #expect(after.status == 0 && after.lines.count == before.lines.count)
        #expect(after.lines.allSatisfy { $0.contains(#""state":"applied""#) })
        let again = try await run("up")
        #expect(again.status == 0 && again.output.isEmpty && again.errors.contains("up to date"))
        try await ledger.pool.use {
            try $0.run("UPDATE migration.steps SET sha256 = sha256('') WHERE number = 2")
        }
        let edited = try await run("status")
        #expect(edited.status == 1 && edited.output.contains(#""step":"002-entries.sql","state":"edited""#))
        let refused = try await run("up")
        #expect(refused.status == 1 && refused.errors.contains("step 002-entries.sql of the ledger schema"))
        let none = try await LedgerBinary.run("migrate", "up")
        #expect(none.status == 1 && none.errors.contains("RDS_URL_LEDGER"))
    }

    @Test("the countries' slots are in PostgreSQL when it is configured, and nothing else changes")
    func countries() async throws {
        let database = try await TestCluster.database(.country(.peru))
        let environment = ["RDS_URL": database.url]
        let imported = try await LedgerBinary.run(
            "schedules", "import", "-", "--data", scratch.data, input: Self.slots, environment: environment)
        #expect(imported.status == 0, "\(imported.errors)")
        #expect(try await count("SELECT count(*) FROM clinical.schedules", in: try database.pool) == 3)
        let server = try await LedgerServer(scratch.data, environment: environment)
        let answer = try #require(try await server.ask(insured: 123, schedule: 100))
        #expect(answer.status == 201)
        _ = try await server.ask(insured: 124, schedule: 100)
        _ = try await server.ask(insured: 125, schedule: 2000, country: "CL")
        _ = try await server.ask(insured: 125, schedule: 9, country: "PE")
        try await server.waitUntilAllEnded()
        let rows = try await server.get("/appointments?countryISO=PE&limit=10").text
        #expect(rows.contains(#""reason":"SLOT_TAKEN""#) && rows.contains(#""reason":"SCHEDULE_NOT_FOUND""#))
        #expect(rows.components(separatedBy: #""status":"completed""#).count - 1 == 1)
        let answering = #""countries":[{"countryISO":"CL","answers":true},{"countryISO":"PE","answers":true}]"#
        try await server.get("/health/ready", until: answering)
        try await server.get("/metrics", until: #"ledger_country_up{country="PE"} 1"#)
        try await server.stop()
        for table in ["appointments_pe", "appointments_cl"] {
            let held = "SELECT count(*) FROM clinical.\(table) WHERE released IS NULL"
            #expect(try await count(held, in: try database.pool) == 1)
        }
        let list = try await LedgerBinary.run(
            "schedules", "list", "--country", "PE", "--data", scratch.data, environment: environment)
        #expect(list.lines.count == 2)
        #expect(
            list.lines.first?.contains(#""available":false,"appointmentId":"\#(try answer.text("appointmentId"))""#)
                == true)
        let stats = try await LedgerBinary.run("stats", "--data", scratch.data, environment: environment)
        #expect(stats.output.contains(#""figure":"databaseAnswers","of":null,"countryISO":"CL","value":1"#))
        // The ledger's own file has no slot: without the variables there is none.
        let own = try await LedgerBinary.run("schedules", "list", "--data", scratch.data)
        #expect(own.status == 0 && own.output.isEmpty)
    }

    @Test("one country may be in PostgreSQL and the other in the ledger's file")
    func oneCountry() async throws {
        let database = try await TestCluster.database(.country(.peru))
        let environment = ["RDS_URL_PE": database.url]
        let server = try await LedgerServer(scratch.data, environment: environment)
        #expect(server.run.errors.contains("demo slots"))
        #expect(try await count("SELECT count(*) FROM clinical.schedules", in: try database.pool) == 0)
        try await server.get("/health/ready", until: #""countries":[{"countryISO":"PE","answers":true}]"#)
        _ = try await server.ask(insured: 1, schedule: 1001, country: "CL")
        try await server.waitUntilAllEnded()
        #expect(try await server.get("/appointments/00001").text.contains(#""status":"completed""#))
        try await server.stop()
    }

    @Test("a server does not start on a schema that is not its own")
    func schema() async throws {
        let database = try await TestCluster.emptyDatabase()
        let run = try await LedgerBinary.run(
            "serve", "--port", "0", "--data", scratch.data, environment: ["RDS_URL": database.url])
        #expect(run.status == 1 && run.errors.contains("ledger migrate up"))
        let unreachable = try await LedgerBinary.run(
            "serve", "--port", "0", "--data", scratch.data, environment: ["RDS_HOST": "db.example.com"])
        #expect(unreachable.status == 1 && unreachable.errors.contains("RDS_DATABASE"))
    }

    @Test("a server ends soon though its databases stand still, and nothing of it is lost", .timeLimit(.minutes(5)))
    func frozen() async throws {
        let cluster = try await OwnCluster.make()
        let environment = ["RDS_URL": cluster.database.url]
        #expect(try await LedgerBinary.run("migrate", "up", environment: environment).status == 0)
        let imported = try await LedgerBinary.run(
            "schedules", "import", "-", "--data", scratch.data, input: Self.slots, environment: environment)
        #expect(imported.status == 0, "\(imported.errors)")
        let server = try await LedgerServer(
            scratch.data, arguments: ["--sweep-after", "1"], environment: environment)
        _ = try await server.ask(insured: 1, schedule: 100)
        try await server.waitUntilAllEnded()
        try cluster.signalAll(SIGSTOP)
        defer { try? cluster.signalAll(SIGCONT) }
        // What needs the frozen database waits; the other queues go on, and requests are taken.
        for number in 2...20 { #expect(try await server.ask(insured: number, schedule: 101)?.status == 201) }
        let none = #"ledger_queue_messages{queue="appointments-pe",state="in_flight"} 0"#
        while try await server.get("/metrics").text.contains(none) { try await Task.sleep(for: .milliseconds(50)) }
        server.run.signal(SIGTERM)
        // Ten seconds are promised; a busy machine may take longer to say so.
        #expect(try await server.run.waitForExit(seconds: 20) == 0)
        try cluster.signalAll(SIGCONT)
        let again = try await LedgerServer(scratch.data, environment: environment)
        try await again.waitUntilAllEnded()
        #expect(try await again.get("/appointments?countryISO=PE&limit=100").text.contains(#""count":20"#))
        try await again.stop()
        #expect(try await LedgerBinary.run("dlq", "list", "--data", scratch.data).output.isEmpty)
        try await cluster.remove()
    }

    @Test("while a country's database is away requests are taken, and are completed once it is back")
    func outage() async throws {
        let cluster = try await OwnCluster.make()
        let environment = ["RDS_URL": cluster.database.url]
        #expect(try await LedgerBinary.run("migrate", "up", environment: environment).status == 0)
        let imported = try await LedgerBinary.run(
            "schedules", "import", "-", "--data", scratch.data, input: Self.slots, environment: environment)
        #expect(imported.status == 0, "\(imported.errors)")
        try await cluster.stopAtOnce()
        // It begins without the database as well.
        let server = try await LedgerServer(scratch.data, environment: environment)
        #expect(try await server.ask(insured: 7, schedule: 100)?.status == 201)
        let ready = try await server.get("/health/ready", until: #"{"countryISO":"PE","answers":false"#)
        #expect(ready.status == 200)
        try await cluster.start()
        try await server.waitUntilAllEnded()
        #expect(try await server.get("/appointments/00007").text.contains(#""status":"completed""#))
        try await server.get("/health/ready", until: #"{"countryISO":"PE","answers":true}"#)
        try await server.stop()
        #expect(try await LedgerBinary.run("dlq", "list", "--data", scratch.data).output.isEmpty)
        try await cluster.remove()
    }
}

import Appointments
import Foundation
import Handlers
import PostgresEngine
import RawHTTP
import TestPostgres
import TestPrograms
import Testing

/// The program, and a country's database that is put back or kept by itself.
@Suite(.serialized, .enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct ClaimTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let slots = """
        scheduleId,countryISO,centerId,specialtyId,medicId,date
        51,PE,4,3,2,2046-11-26T15:00:00Z
        52,PE,4,3,2,2046-11-26T15:30:00Z
        53,PE,4,3,2,2046-11-26T16:00:00Z

        """

    private func run(_ words: String..., database: TestDatabase) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(
            words + ["--data", scratch.data], input: Self.slots, environment: ["RDS_URL": database.url])
    }

    /// Copies the files of the stopped ledger.
    private func copy(to name: String, back: Bool = false) throws {
        let files = FileManager.default
        let (from, to) = back ? (scratch.data + name, scratch.data) : (scratch.data, scratch.data + name)
        if files.fileExists(atPath: to) { try files.removeItem(atPath: to) }
        try files.copyItem(atPath: from, toPath: to)
    }

    @Test("a slot that a restored ledger knows nothing of is named, given back and booked again")
    func restored() async throws {
        let database = try await TestCluster.database(.country(.peru))
        let environment = ["RDS_URL": database.url]
        #expect(try await run("schedules", "import", "-", database: database).status == 0)
        try copy(to: "-backup")
        let first = try await LedgerServer(scratch.data, environment: environment)
        let lost = try #require(try await first.ask(insured: 1, schedule: 51)).text("appointmentId")
        try await first.waitUntilAllEnded()
        try await first.stop()
        #expect(try await run("verify", database: database).status == 0)
        try copy(to: "-backup", back: true)

        let verified = try await run("verify", database: database)
        #expect(verified.status == 2, "\(verified.errors)")
        #expect(verified.lines.count == 1 && verified.output.contains(#""kind":"claim-unexplained""#))
        #expect(verified.output.contains(lost) && verified.output.contains("slot 51 of PE"))
        #expect(try await run("verify", "--store", database: database).status == 0)
        let reconciled = try await run("reconcile", "--only", "countries", database: database)
        #expect(reconciled.status == 2 && reconciled.output.contains(#""copy":"country-pe""#))
        let dry = try await run("repair", "--countries", "--dry-run", database: database)
        #expect(dry.status == 0 && dry.output.contains(#""action":"give-back""#), "\(dry)")
        #expect(try await run("repair", "--countries", database: database).status == 1)
        #expect(try await run("verify", "--countries", database: database).status == 2)
        // Which side is right is said first.
        let early = try await run("repair", "--countries", "--yes", database: database)
        #expect(early.status == 1 && early.errors.contains("`ledger countries adopt`"), "\(early)")
        #expect(try await run("countries", "adopt", "--yes", database: database).status == 0)
        let repaired = try await run("repair", "--countries", "--yes", database: database)
        #expect(repaired.status == 0 && repaired.errors.contains("1 mended; 0 findings are left"), "\(repaired)")
        #expect(try await run("verify", database: database).status == 0)

        let second = try await LedgerServer(scratch.data, environment: environment)
        _ = try await second.ask(insured: 2, schedule: 51)
        try await second.waitUntilAllEnded()
        #expect(try await second.get("/appointments/00002").text.contains(#""status":"completed""#))
        try await second.stop()
        #expect(try await run("verify", database: database).status == 0)
    }

    @Test("a claim that a restored country's database lacks is put back; one that is held by now is named")
    func restoredCountry() async throws {
        let database = try await TestCluster.database(.country(.peru))
        #expect(try await run("schedules", "import", "-", database: database).status == 0)
        let server = try await LedgerServer(scratch.data, environment: ["RDS_URL": database.url])
        for number in 1...2 { _ = try await server.ask(insured: number, schedule: 50 + number) }
        try await server.waitUntilAllEnded()
        // As the database was before, and what was booked in it since.
        try await database.pool.use { try $0.run("DELETE FROM clinical.appointments_pe") }
        _ = try await server.ask(insured: 3, schedule: 52)
        try await server.waitUntilAllEnded()
        try await server.stop()
        let verified = try await run("verify", "--countries", database: database)
        #expect(verified.status == 2)
        #expect(verified.output.components(separatedBy: #""kind":"claim-missing""#).count - 1 == 2)
        #expect(verified.output.contains(#""kind":"slot-twice""#))
        let repaired = try await run("repair", "--countries", "--yes", database: database)
        #expect(repaired.status == 2 && repaired.errors.contains("1 mended; 2 findings are left"), "\(repaired)")
        let named = try #require(
            repaired.lines.first { $0.contains(#""action":"none","kind":"claim-missing""#) }, "\(repaired.output)")
        #expect(named.components(separatedBy: "requested 2").count - 1 == 2)
    }

    @Test("verify says when a country's database does not answer, and ends as incomplete")
    func away() async throws {
        let cluster = try await OwnCluster.make()
        let database = cluster.database
        #expect(try await LedgerBinary.run("migrate", "up", environment: ["RDS_URL": database.url]).status == 0)
        #expect(try await run("schedules", "import", "-", database: database).status == 0)
        #expect(try await run("verify", database: database).status == 0)
        try await cluster.stopAtOnce()
        for words in ["verify", "reconcile"] {
            let outcome = try await run(words, database: database)
            #expect(outcome.status == 3, "\(outcome)")
            #expect(outcome.errors.contains("the database of PE does not answer"))
        }
        #expect(try await run("verify", "--store", database: database).status == 0)
        try await cluster.remove()
    }

    @Test("under live traffic, with refusals and races for slots, nothing is found")
    func traffic() async throws {
        let database = try await TestCluster.database(.country(.peru))
        #expect(try await run("schedules", "import", "-", database: database).status == 0)
        let server = try await LedgerServer(scratch.data, environment: ["RDS_URL_PE": database.url])
        let (stopped, stop) = AsyncStream.makeStream(of: Void.self)
        async let asked: Int = withThrowingTaskGroup(of: Int.self) { group in
            for client in 0..<4 {
                group.addTask {
                    var count = 0
                    while !Task.isCancelled {
                        let number = count * 4 + client
                        let isChilean = number % 2 == 0
                        _ = try await server.ask(
                            insured: number % 90_000, schedule: isChilean ? 1001 + number % 500 : 51 + number % 3,
                            country: isChilean ? "CL" : "PE")
                        count += 1
                        // Traffic, and not a flood that takes a minute to work off.
                        try? await Task.sleep(for: .milliseconds(20))
                    }
                    return count
                }
            }
            for await _ in stopped {}
            group.cancelAll()
            var sum = 0
            while let count = try? await group.next() { sum += count }
            return sum
        }
        for _ in 0..<3 {
            let outcome = try await LedgerBinary.run(
                "verify", "--countries", "--data", scratch.data, environment: ["RDS_URL_PE": database.url])
            #expect(outcome.status == 0, "\(outcome)")
        }
        stop.finish()
        #expect(await asked > 0)
        try await server.waitUntilAllEnded()
        try await server.stop()
    }
}

import Appointments
import EventStore
import Foundation
import Handlers
import PostgresEngine
import RawHTTP
import TestAWS
import TestPostgres
import TestPrograms
import Testing

/// The program on AWS: the API, the workers, and what operators do, against the emulator.
@Suite(
    .serialized, .enabled(if: Emulator.isThere && TestCluster.isThere, "scripts/test.sh starts what this needs"),
    .dropsDatabases)
struct AWSTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let slots = """
        scheduleId,countryISO,centerId,specialtyId,medicId,date
        100,PE,4,3,2,2046-11-26T15:00:00Z
        101,PE,4,3,3,2046-11-26T15:00:00Z
        102,PE,4,3,4,2046-11-26T15:00:00Z
        103,PE,4,3,5,2046-11-26T15:00:00Z
        104,PE,4,3,6,2046-11-26T15:00:00Z
        105,PE,4,3,7,2046-11-26T15:00:00Z

        """

    /// A ledger on AWS with a database for Peru and one for the mirror.
    private struct Place {
        let environment: [String: String]
        let scratch: ScratchDirectory

        func run(_ words: String..., input: String = "") async throws -> LedgerBinary.Outcome {
            try await LedgerBinary.run(words + ["--engine", "aws"], input: input, environment: environment)
        }

        func start(_ words: String...) throws -> RunningProgram { try RunningProgram(words, environment: environment) }

        /// Runs a verb until its output holds a text.
        func wait(for text: String, _ words: String..., seconds: Double = 180) async throws {
            let end = ContinuousClock.now + .seconds(seconds)
            while true {
                let outcome = try await LedgerBinary.run(words + ["--engine", "aws"], environment: environment)
                if outcome.output.contains(text) { return }
                try #require(ContinuousClock.now < end, "'\(text)' never came: \(outcome)")
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func place() async throws -> (Place, mirror: TestDatabase) {
        let (peru, mirror) = (
            try await TestCluster.database(.country(.peru)), try await TestCluster.database(.ledger)
        )
        let environment = try await Emulator.makeLedger().environment
            .merging(["RDS_URL_PE": peru.url, "RDS_URL_LEDGER": mirror.url]) { $1 }
        return (Place(environment: environment, scratch: scratch), mirror)
    }

    @Test("migrate, and auditors of an embedded ledger, log in with a password of the Parameter Store")
    func passwords() async throws {
        let (client, variables) = try await Emulator.makeLedger()
        try await client.putParameter("/ledger/password", "geheim")
        let database = try await TestCluster.database(.ledger)
        let data = scratch.data
        #expect(try await LedgerBinary.bench("replay", "--events", "4", "--history", data).status == 0)
        for (name, status) in [("/ledger/password", Int32(0)), ("/ledger/none", 1)] {
            let environment = variables.merging([
                "RDS_HOST_LEDGER": database.directory, "RDS_DATABASE_LEDGER": database.name,
                "RDS_USERNAME_LEDGER": "postgres", "RDS_PASSWORD_PARAMETER_LEDGER": name,
            ]) { $1 }
            let migrated = try await LedgerBinary.run("migrate", "up", environment: environment)
            #expect(migrated.status == status, "\(migrated)")
            let mirrored = try await LedgerBinary.run("mirror", "backfill", "--data", data, environment: environment)
            #expect(mirrored.status == status, "\(mirrored)")
        }
        let nowhere = try await LedgerBinary.run(
            "migrate", "up",
            environment: [
                "RDS_HOST_LEDGER": database.directory, "RDS_DATABASE_LEDGER": database.name,
                "RDS_USERNAME_LEDGER": "postgres", "RDS_PASSWORD_PARAMETER_LEDGER": "/ledger/password",
            ])
        #expect(nowhere.status == 1 && nowhere.errors.contains("AWS_REGION"), "\(nowhere)")
    }

    /// Fills the countries' databases and makes a key.
    ///
    /// - Returns: the key's secret.
    private func prepare(_ place: Place) async throws -> String {
        let file = scratch.path + "/slots.csv"
        try Self.slots.write(toFile: file, atomically: true, encoding: .utf8)
        let imported = try await place.run("schedules", "import", file)
        #expect(imported.status == 0, "\(imported)")
        let key = try await place.run("keys", "create", "--name", "desk", "--role", "admin")
        return try #require(try JSONValue(Array(key.output.utf8))["secret"]?.text)
    }

    private func serve(_ place: Place) async throws -> (RunningProgram, port: Int) {
        let server = try RunningProgram(["serve", "--engine", "aws", "--port", "0"], environment: place.environment)
        try await server.waitForErrors("listening on 127.0.0.1:")
        try await Task.sleep(for: .milliseconds(20))
        let port = try #require(
            server.errors.range(of: "listening on 127.0.0.1:")
                .flatMap { Int(server.errors[$0.upperBound...].prefix { $0.isNumber }) })
        return (server, port)
    }

    /// Asks for some of the slots, each for another person.
    private func ask(_ numbers: Range<Int>, _ port: Int, _ secret: String) async throws -> [String] {
        var ids: [String] = []
        for number in numbers {
            let body = #"{"insuredId":"0070\#(number)","scheduleId":\#(100 + number),"countryISO":"PE"}"#
            let answer = try #require(
                try await exchange(
                    port,
                    post(
                        Array(body.utf8), headers: "Content-Type: application/json\r\nX-API-Key: \(secret)\r\n")))
            #expect(answer.status == 201, "\(answer.text)")
            ids.append(try #require(try JSONValue(Array(answer.body))["appointmentId"]?.text))
        }
        return ids
    }

    /// What a worker logs: from then on a signal ends it in good order.
    private static let working = #""message":"working""#

    /// How `stats` says how many rows of the view are completed.
    private static func completed(_ count: Int) -> String {
        #""figure":"appointments","of":"completed","countryISO":"PE","value":\#(count)}"#
    }

    @Test("in bad weather workers lose nothing, though one is killed and one is stopped in the middle of its work")
    func weather() async throws {
        let (place, _) = try await place()
        let secret = try await prepare(place)
        let proxy = WireProxy(to: Emulator.port) { request in
            // The messages of a receive whose answer is lost stay hidden for longer than a test may last.
            if request.operation == "ReceiveMessage" { return request.number % 5 == 3 ? .throttle : .forward }
            // Longer than a call may take.
            if request.operation == "Query", request.number == 25 { return .slow(milliseconds: 11_000, .forward) }
            return switch request.number % 14 {
            case 2: .throttle
            case 4: .refuse("TransactionConflictException")
            case 6: .failAfterWrite
            case 8: .cutAfterWrite
            case 10: .refuse("ServiceUnavailable", status: 503)
            case 12: .slow(milliseconds: 50, .forward)
            default: .forward
            }
        }
        func worker() throws -> RunningProgram {
            try RunningProgram(
                ["worker", "--sweep-after", "5"],
                environment: place.environment.merging(["AWS_ENDPOINT_URL": proxy.url]) { $1 })
        }
        let (server, port) = try await serve(place)
        let (killed, stopped) = (try worker(), try worker())
        for program in [killed, stopped] { try await program.waitForErrors(Self.working) }
        var ids = try await ask(0..<2, port, secret)
        // It has begun to work on them.
        while proxy.count("Publish") == 0 { try await Task.sleep(for: .milliseconds(10)) }
        killed.signal(SIGKILL)
        ids += try await ask(2..<4, port, secret)
        let last = try worker()
        try await last.waitForErrors(Self.working)
        ids += try await ask(4..<6, port, secret)
        stopped.signal(SIGTERM)
        #expect(try await stopped.waitForExit() == 0, "\(stopped.errors)")
        for id in ids {
            try await place.wait(for: #""type":"completed""#, "history", id, seconds: 150)
        }
        try await place.wait(for: #""position":24"#, "mirror", "status")
        // The view has a consumer of its own.
        try await place.wait(for: Self.completed(6), "stats")
        for program in [last, server] { program.signal(SIGTERM) }
        for program in [last, server] { #expect(try await program.waitForExit() == 0, "\(program.errors)") }
        let verified = try await place.run("verify")
        #expect(verified.status == 0 && verified.errors.contains("verified 24 events"), "\(verified)")
    }

    @Test("API and two workers bring requests to their end; operators see, verify, rebuild and mend them there")
    func flow() async throws {
        let (place, mirror) = try await place()
        let secret = try await prepare(place)
        let workers = [try place.start("worker"), try place.start("worker")]
        for program in workers { try await program.waitForErrors(Self.working) }
        let (server, port) = try await serve(place)
        let ids = try await ask(0..<3, port, secret)
        for id in ids { try await place.wait(for: #""status":"completed""#, "state", id) }
        let unknown = try #require(try await exchange(port, RawHTTP.request("GET /appointments/00700")))
        #expect(unknown.status == 401)

        try await operate(place, ids, mirror)

        for program in workers + [server] { program.signal(SIGTERM) }
        for program in workers + [server] {
            #expect(try await program.waitForExit() == 0, "\(program.errors)")
            #expect(!program.errors.withoutChance.contains("00700") && !program.errors.contains(#""level":"ERROR""#))
        }
    }

    /// What operators do with three completed appointments while the workers go on.
    private func operate(_ place: Place, _ ids: [String], _ mirror: TestDatabase) async throws {
        // The view may come behind the events.
        try await place.wait(for: Self.completed(3), "stats")
        let verified = try await place.run("verify")
        #expect(verified.status == 0 && verified.errors.contains("verified 12 events"), "\(verified)")
        let history = try await place.run("history", ids[0])
        #expect(history.lines.count == 4 && history.lines[3].contains(#""type":"completed""#))
        try await place.wait(for: #""position":12"#, "mirror", "status")
        // What is done to the mirror is named, and mended from the table.
        _ = try await mirror.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.entries DISABLE TRIGGER USER;
                DELETE FROM ledger.entries WHERE position = 5;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes;
                """)
        }
        let damaged = try await place.run("verify", "--mirror")
        #expect(damaged.status == 2 && damaged.lines.count >= 1, "\(damaged)")
        let mended = try await place.run("repair", "--mirror", "--yes")
        #expect(mended.status == 0, "\(mended)")
        #expect(try await place.run("verify", "--mirror").status == 0)
        let reconciled = try await place.run("reconcile")
        #expect(reconciled.status == 0, "\(reconciled)")
        let audited = try await place.run("audit", "--type", "routed")
        #expect(audited.lines.count == 3, "\(audited)")
        let rebuilt = try await place.run("rebuild", "--yes")
        #expect(rebuilt.status == 0, "\(rebuilt)")
        let replayed = try await place.run("replay", "--to", "stdout", "--type", "completed")
        #expect(replayed.lines.count == 3)
        // Positions are the mirror's, whichever verb names them.
        let third = try #require(audited.lines.last.flatMap { try JSONValue(Array($0.utf8))["position"]?.whole })
        let later = try await place.run("replay", "--to", "stdout", "--after", "\(third - 1)", "--resume", "later")
        #expect(later.lines.count == 12 - Int(third) + 1)
        let again = try await place.run("replay", "--to", "stdout", "--after", "\(third - 1)", "--resume", "later")
        #expect(again.status == 0 && again.lines.isEmpty, "\(again)")
        let away = try await LedgerBinary.run(
            ["history", ids[0], "--engine", "aws"],
            environment: place.environment.merging(["RDS_URL_LEDGER": "postgresql://nobody@127.0.0.1:1/ledger"]) { $1 })
        #expect(away.status == 0 && away.lines.count == 4, "\(away)")
        let alone = try await LedgerBinary.run(
            ["replay", "--to", "stdout", "--resume", "later", "--engine", "aws"],
            environment: place.environment.merging(["RDS_URL_LEDGER": ""]) { $1 })
        #expect(alone.status == 1 && alone.errors.contains("set RDS_URL_LEDGER"), "\(alone)")
        let asked = try await place.run("request", "--insured", "00709", "--schedule", "100", "--country", "PE")
        let refused = try #require(try JSONValue(Array(asked.output.utf8))["appointmentId"]?.text)
        try await place.wait(for: #""reason":"SLOT_TAKEN""#, "state", refused)
        let held = try await place.run("projections", "pause", "appointments")
        #expect(held.status == 0, "\(held)")
        let listed = try await place.run("projections", "list")
        #expect(listed.output.contains(#""state":"paused""#), "\(listed)")
        #expect(try await place.run("projections", "resume", "appointments").status == 0)
        #expect(try await place.run("dlq", "list").lines.isEmpty)
    }

    @Test("what is missing is named, with what to do")
    func refusals() async throws {
        let (place, _) = try await place()
        for (words, environment, told) in [
            (["stats"], ["AWS_REGION": ""], "set AWS_REGION"), (["worker"], ["KMS_KEY_ID": ""], "set KMS_KEY_ID"),
            (["stats"], ["AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"], "failed"),
            (["stats"], ["EVENTS_TABLE_NAME": "nowhere"], "nowhere"),
            (["mirror", "run"], [:], "ledger worker --only stream"),
            (["serve", "--mirror"], [:], "leave out --mirror"),
        ] as [([String], [String: String], String)] {
            let engine = words == ["worker"] ? [] : ["--engine", "aws"]
            let outcome = try await LedgerBinary.run(
                words + engine, environment: place.environment.merging(environment) { $1 })
            #expect(outcome.status == 1 && outcome.errors.contains(told), "\(words): \(outcome)")
        }
    }
}

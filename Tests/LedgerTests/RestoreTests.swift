import Appointments
import Foundation
import Handlers
import PostgresEngine
import RawHTTP
import TestPostgres
import TestPrograms
import Testing

/// The program after a part of what belongs together was put back to an older copy.
@Suite(.serialized, .enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct RestoreTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let slots =
        "scheduleId,countryISO,centerId,specialtyId,medicId,date\n"
        + (1...9).map { "\($0),PE,1,1,\($0),2046-11-26T15:00:00Z\n" }.joined()

    /// Copies the ledger's file, and the key with it, as a backup and a restore do.
    private func copy(_ from: String, to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.key"] {
            try? FileManager.default.removeItem(atPath: directory + "/" + name)
            guard FileManager.default.fileExists(atPath: from + "/" + name) else { continue }
            try FileManager.default.copyItem(atPath: from + "/" + name, toPath: directory + "/" + name)
        }
    }

    private func run(
        _ words: String..., data: String? = nil, environment: [String: String] = [:]
    ) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(words + ["--data", data ?? scratch.data], environment: environment)
    }

    @Test("a mirror that is ahead after a restore is named, passed over and not written to, until it is rewound")
    func mirrorAhead() async throws {
        let database = try await TestCluster.database(.ledger)
        let environment = ["RDS_URL_LEDGER": database.url]
        let backup = scratch.path + "/backup"
        var server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
        for number in 1...2 { _ = try await server.ask(insured: number, schedule: number) }
        try await server.waitUntilAllEnded()
        try await server.stop()
        try copy(scratch.data, to: backup)
        server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
        for number in 3...6 { _ = try await server.ask(insured: number, schedule: number) }
        try await server.waitUntilAllEnded()
        try await server.stop()
        #expect(try await run("mirror", "backfill", environment: environment).status == 0)

        try copy(backup, to: scratch.data)
        server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
        #expect(server.run.errors.contains("the ledger was put back to an older copy"))
        #expect(server.run.errors.contains("the mirror stands still"))
        let asked = try await server.ask(insured: 888, schedule: 9)
        #expect(asked?.status == 201)
        try await server.waitUntilAllEnded()
        #expect(try await server.get("/audit/events?insuredId=00888&type=completed").text.contains(#""count":1"#))
        try await server.get("/metrics", until: #"ledger_mirror_state{state="ahead"} 1"#)
        try await server.stop()

        let status = try await run("mirror", "status", environment: environment)
        #expect(status.status == 3 && status.output.contains(#""position":24"#), "\(status)")
        #expect(status.output.contains(#""lag":null"#) && status.output.contains(#""state":"ahead","ahead":12"#))
        let events = try await run("audit", "events", environment: environment)
        #expect(events.status == 0 && events.lines.count == 12, "\(events)")
        #expect(events.errors.contains("the mirror is ahead"))
        #expect(try await run("verify", "--mirror", environment: environment).status == 2)
        for words in [
            ["mirror", "backfill"], ["mirror", "run"], ["repair", "--mirror", "--yes"], ["mirror", "adopt"],
        ] {
            let refused = try await LedgerBinary.run(words + ["--data", scratch.data], environment: environment)
            #expect(refused.status == 1 && refused.errors.contains("mirror rewind"), "\(words): \(refused)")
        }
        let planned = try await run("mirror", "rewind", "--dry-run", environment: environment)
        #expect(planned.status == 0 && planned.errors.contains("16 entries behind that will be moved"), "\(planned)")
        #expect(try await run("mirror", "rewind", environment: environment).status == 1)
        #expect(try await run("mirror", "rewind", "--yes", environment: environment).status == 0)
        try await expectWhole(environment)
        let kept = try await database.pool.use { session in
            try session.row("SELECT count(*), min(position) FROM ledger.set_aside WHERE epoch = 1") {
                [try $0.int(0), try $0.int(1)]
            }
        }
        #expect(kept == [16, 9])
    }

    /// The mirror follows the ledger and is its copy.
    private func expectWhole(_ environment: [String: String]) async throws {
        for words in [["mirror", "backfill"], ["mirror", "status"], ["verify", "--mirror"]] {
            let outcome = try await LedgerBinary.run(words + ["--data", scratch.data], environment: environment)
            #expect(outcome.status == 0, "\(words): \(outcome)")
        }
    }

    @Test("a mirror of another ledger is refused before anything is answered from it or written to it")
    func anotherLedger() async throws {
        let database = try await TestCluster.database(.ledger)
        let environment = ["RDS_URL_LEDGER": database.url]
        let (one, other) = (scratch.path + "/one", scratch.path + "/other")
        for (data, events) in [(one, 40), (other, 12)] {
            #expect(
                try await LedgerBinary.bench("replay", "--events", "\(events)", "--history", data).status == 0)
        }
        #expect(try await run("mirror", "backfill", data: other, environment: environment).status == 0)
        for words in [
            ["audit", "events"], ["audit", "access"], ["mirror", "status"], ["mirror", "run"], ["mirror", "backfill"],
            ["mirror", "adopt", "--yes"], ["mirror", "rewind", "--yes"], ["repair", "--mirror", "--yes"],
            ["repair", "--backfill", "--yes"], ["verify", "--mirror"], ["reconcile", "--only", "mirror"],
            ["rebuild", "--from", "mirror", "--dry-run"], ["serve", "--port", "0", "--mirror"],
            ["serve", "--port", "0"],
        ] {
            let refused = try await LedgerBinary.run(words + ["--data", one], environment: environment)
            #expect(refused.status == 1 && refused.errors.contains("another ledger's"), "\(words): \(refused)")
            #expect(refused.output.isEmpty, "\(words): \(refused)")
        }
        let held = try await database.pool.use { session in
            try session.row("SELECT position, checkpoint, (SELECT count(*) FROM ledger.audit_access) FROM ledger.head")
            {
                [try $0.int(0), try $0.int(1), try $0.int(2)]
            }
        }
        #expect(held == [12, 12, 0])
        #expect(try await run("mirror", "status", data: other, environment: environment).status == 0)
    }

    @Test("a mirror's checkpoint that was moved ahead is named, and repair sets it back")
    func checkpoint() async throws {
        let database = try await TestCluster.database(.ledger)
        let environment = ["RDS_URL_LEDGER": database.url]
        #expect(
            try await LedgerBinary.bench("replay", "--events", "8", "--history", scratch.data).status == 0)
        #expect(try await run("mirror", "backfill", environment: environment).status == 0)
        try await database.pool.use { try $0.run("UPDATE ledger.head SET checkpoint = 999999") }
        let status = try await run("mirror", "status", environment: environment)
        #expect(status.status == 3 && status.errors.contains("checkpoint"), "\(status)")
        let found = try await run("verify", "--mirror", environment: environment)
        #expect(found.status == 2 && found.output.contains("mirror-checkpoint-ahead"), "\(found)")
        #expect(try await run("repair", "--mirror", "--yes", environment: environment).status == 0)
        try await expectWhole(environment)
    }

    @Test("what was seen beside a ledger tells another one, one that is missing, and one that is older")
    func seen() async throws {
        let (data, other) = (scratch.data, scratch.path + "/other")
        for (directory, insured) in [(data, "00001"), (other, "00002")] {
            let words = ["--insured", insured, "--schedule", "1", "--country", "PE", "--data", directory]
            #expect(
                try await LedgerBinary.run(["keys", "create", "--name", "a", "--role", "admin"] + words.suffix(2))
                    .status == 0)
            #expect(try await LedgerBinary.run(["request"] + words).status == 0)
            #expect(try await LedgerBinary.run(["stats"] + words.suffix(2)).status == 0)
        }
        let seen = data + "/ledger.seen"
        let mode = try FileManager.default.attributesOfItem(atPath: seen)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let remembered = try String(contentsOfFile: seen, encoding: .utf8)
        #expect(remembered.contains(#""epoch":1"#) && remembered.contains(#""position":1,"#), "\(remembered)")
        try copy(other, to: data)
        let strange = try await run("stats")
        #expect(strange.status == 1 && strange.errors.contains("another ledger than the one that was here"))
        try FileManager.default.removeItem(atPath: data + "/ledger.sqlite")
        let lost = try await run("serve", "--port", "0")
        #expect(lost.status == 1 && lost.errors.contains("is missing, and it had come to position 1"), "\(lost)")
        try Data("{}".utf8).write(to: URL(fileURLWithPath: seen))
        let unread = try await run("stats")
        #expect(unread.status == 1 && unread.errors.contains("ledger.seen"), "\(unread)")
    }

    /// A copy of all that belongs together, made at one moment.
    private struct Copies {
        let data: String
        let mirror: TestDatabase
        let country: TestDatabase
    }

    /// What is put back, and what the program says of it.
    private struct Case {
        let ledger: Int
        /// Nil where it is lost.
        let seen: Int?
        let mirror: Int
        let country: Int
        let isPutBack: Bool
        let mirrorState: String
        let countryState: String

        /// - Parameter parts: ledger, ledger.seen, mirror and country: 0 is the older copy, 1 the newer, - none.
        init(_ parts: String, isPutBack: Bool = false, mirror: String = "following", country: String = "following") {
            let copies = parts.map { $0.wholeNumberValue }
            (ledger, seen, self.mirror, self.country) = (copies[0] ?? 0, copies[1], copies[2] ?? 0, copies[3] ?? 0)
            (self.isPutBack, mirrorState, countryState) = (isPutBack, mirror, country)
        }
    }

    private static let cases = [
        Case("1111"),
        Case("0111", isPutBack: true, mirror: "ahead", country: "other-epoch"),
        Case("0101", isPutBack: true, mirror: "other-epoch", country: "other-epoch"),
        Case("0110", isPutBack: true, mirror: "ahead", country: "other-epoch"),
        Case("0100", isPutBack: true, mirror: "other-epoch", country: "other-epoch"),
        Case("0000"),
        Case("0011", mirror: "ahead", country: "ahead"),
        Case("0-11", mirror: "ahead", country: "ahead"),
        Case("1011"),
        Case("1-11"),
        Case("1101"),
        Case("1110"),
    ]

    @Test("each part that is put back alone or with others is named, and there is a way out of each")
    func combinations() async throws {
        let copies = try await makeCopies()
        for (number, wanted) in Self.cases.enumerated() {
            let data = "\(scratch.path)/case-\(number)"
            let mirror = try await TestCluster.copy(of: copies[wanted.mirror].mirror)
            let country = try await TestCluster.copy(of: copies[wanted.country].country)
            let environment = ["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]
            try copy(copies[wanted.ledger].data, to: data)
            if let seen = wanted.seen {
                try FileManager.default.copyItem(
                    atPath: copies[seen].data + "/ledger.seen", toPath: data + "/ledger.seen")
            }
            func run(_ words: String...) async throws -> LedgerBinary.Outcome {
                try await LedgerBinary.run(words + ["--data", data], environment: environment)
            }
            let opened = try await run("countries", "status")
            #expect(opened.errors.contains("was put back") == wanted.isPutBack, "\(number): \(opened)")
            #expect(opened.output.contains(#""state":"\#(wanted.countryState)""#), "\(number): \(opened)")
            #expect(opened.status == (wanted.countryState == "following" ? 0 : 3), "\(number): \(opened)")
            let status = try await run("mirror", "status")
            #expect(status.output.contains(#""state":"\#(wanted.mirrorState)""#), "\(number): \(status)")
            if wanted.mirrorState != "following" {
                #expect(status.status == 3, "\(number): \(status)")
                let verb = wanted.mirrorState == "ahead" ? "rewind" : "adopt"
                let mended = try await run("mirror", verb, "--yes")
                #expect(mended.status == 0, "\(number): \(mended)")
            }
            if wanted.countryState != "following" {
                let adopted = try await run("countries", "adopt", "--yes")
                #expect(adopted.status == 0, "\(number): \(adopted)")
            }
            for words in [
                ["mirror", "backfill"], ["mirror", "status"], ["countries", "status"], ["verify", "--mirror"],
            ] {
                let outcome = try await LedgerBinary.run(words + ["--data", data], environment: environment)
                #expect(outcome.status == 0, "\(number) \(words): \(outcome)")
            }
        }
    }

    /// A ledger with its mirror and the database of Peru, copied twice: before and behind some more appointments.
    private func makeCopies() async throws -> [Copies] {
        let (mirror, country) = (
            try await TestCluster.database(.ledger), try await TestCluster.database(.country(.peru))
        )
        let environment = ["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]
        let imported = try await LedgerBinary.run(
            "schedules", "import", "-", "--data", scratch.data, input: Self.slots, environment: environment)
        #expect(imported.status == 0, "\(imported)")
        var copies: [Copies] = []
        for numbers in [1...2, 3...5] {
            let server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
            for number in numbers { _ = try await server.ask(insured: number, schedule: number) }
            try await server.waitUntilAllEnded()
            try await server.stop()
            #expect(try await run("mirror", "backfill", environment: environment).status == 0)
            let data = "\(scratch.path)/copy-\(copies.count)"
            try copy(scratch.data, to: data)
            try FileManager.default.copyItem(atPath: scratch.data + "/ledger.seen", toPath: data + "/ledger.seen")
            copies.append(
                Copies(
                    data: data, mirror: try await TestCluster.copy(of: mirror),
                    country: try await TestCluster.copy(of: country)))
        }
        return copies
    }

    @Test("while a country's database is of another past, its requests wait, and go on once it was taken over")
    func countryWaits() async throws {
        let copies = try await makeCopies()
        let environment = ["RDS_URL_PE": copies[1].country.url]
        try copy(copies[0].data, to: scratch.data)
        let server = try await LedgerServer(scratch.data, environment: environment)
        #expect(server.run.errors.contains("a country's database is of another past"))
        #expect(try await server.ask(insured: 7, schedule: 7)?.status == 201)
        try await server.get("/health/ready", until: #"{"countryISO":"PE","answers":false"#)
        #expect(try await server.get("/appointments/00007").text.contains(#""status":"pending""#))
        #expect(try await run("countries", "adopt", "--yes", environment: environment).status == 0)
        try await server.waitUntilAllEnded()
        #expect(try await server.get("/appointments/00007").text.contains(#""status":"completed""#))
        try await server.stop()
        let strangers = scratch.path + "/strangers"
        let strange = try await run("serve", "--port", "0", data: strangers, environment: environment)
        #expect(strange.status == 1 && strange.errors.contains("another ledger's"), "\(strange)")
    }
}

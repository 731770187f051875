import Foundation
import Handlers
import PostgresEngine
import RawHTTP
import TestPostgres
import TestPrograms
import Testing

/// The program with its mirror.
@Suite(.serialized, .enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct MirrorTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    @Test("a server keeps the mirror, auditors are answered from it, and what is done to it is named and mended")
    func mirror() async throws {
        let database = try await TestCluster.database(.ledger)
        let environment = ["RDS_URL_LEDGER": database.url]
        func run(_ words: String...) async throws -> LedgerBinary.Outcome {
            try await LedgerBinary.run(words + ["--data", scratch.data], environment: environment)
        }
        let server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
        for number in 1...5 { _ = try await server.ask(insured: number, schedule: number) }
        try await server.waitUntilAllEnded()
        try await server.get("/health/ready", until: #""mirror":{"answers":true"#)
        try await server.get("/metrics", until: "ledger_mirror_up 1")
        let page = try await server.get("/audit/events?insuredId=00003&type=completed").text
        #expect(page.contains(#""count":1"#))
        try await server.stop()
        #expect(try await run("mirror", "backfill").status == 0)
        let status = try await run("mirror", "status")
        #expect(status.status == 0 && status.output.contains(#""position":20,"checkpoint":20,"lag":0"#), "\(status)")
        #expect(try await run("verify").status == 0)
        // Who looked is recorded, and persons are masked there.
        let looked = try await database.pool.use { session in
            try session.query("SELECT caller, filters::text, rows FROM ledger.audit_access ORDER BY id") {
                "\(try $0.text(0)) \(try $0.text(1)) \(try $0.int(2))"
            }
        }
        #expect(looked.count == 1 && looked[0].hasPrefix("anonymous ") && looked[0].hasSuffix(" 1"))
        #expect(looked[0].contains("***03") && !looked[0].contains("00003"))
        let history = try await run("audit", "--type", "requested")
        #expect(history.lines.count == 5)
        let accesses = try await run("audit", "access", "--to", "2999-01-01T00:00:00Z")
        #expect(accesses.status == 0 && accesses.lines.count == 2, "\(accesses)")
        #expect(accesses.lines.last?.contains(#""caller":"anonymous","rows":1,"filters":{"#) == true)
        #expect(accesses.output.contains("***03") && !accesses.output.contains("00003"))
        #expect(try await run("audit", "access", "--actor", "anonymous").lines.count == 1)
        let rebuilt = try await run("rebuild", "--from", "mirror")
        #expect(rebuilt.status == 0 && rebuilt.errors.contains("5 rows equal, 0 added"), "\(rebuilt)")
        #expect(try await run("verify", "--views").status == 0)
        let same = try await run("reconcile")
        #expect(same.status == 0 && same.errors.contains("5 appointments, digest "), "\(same)")

        try await database.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.entries DISABLE TRIGGER USER;
                DELETE FROM ledger.entries WHERE position = 20;
                UPDATE ledger.entries SET actor = 'nobody' WHERE position = 3;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_arrive;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER entries_never_change;
                ALTER TABLE ledger.entries ENABLE ALWAYS TRIGGER an_entry_never_changes
                """)
        }
        let found = try await run("verify", "--mirror")
        #expect(found.status == 2)
        #expect(found.output.contains(#""kind":"mirror-missing""#) && found.output.contains("mirror-damaged"))
        #expect(try await run("reconcile", "--only", "views").status == 0)
        #expect(try await run("rebuild", "--from", "mirror", "--dry-run").status == 1)
        let planned = try await run("repair", "--mirror", "--dry-run")
        #expect(planned.status == 0 && planned.lines.count == 2, "\(planned)")
        #expect(planned.output.contains(#""action":"replace","position":3"#))
        #expect(planned.output.contains(#""action":"fill","position":20"#))
        #expect(try await run("verify", "--mirror").status == 2)
        let refused = try await run("repair", "--mirror")
        #expect(refused.status == 1 && refused.errors.contains("--yes"))
        #expect(try await run("repair", "--mirror", "--yes").status == 0)
        #expect(try await run("verify", "--mirror").status == 0)
    }

    @Test("an export of many events takes no more memory than one of few")
    func memory() async throws {
        var peaks: [Int] = []
        for events in [4000, 40_000] {
            let (database, data) = (try await TestCluster.database(.ledger), scratch.path + "/\(events)")
            let environment = ["RDS_URL_LEDGER": database.url]
            #expect(
                try await LedgerBinary.bench("replay", "--events", "\(events)", "--history", data).status == 0)
            #expect(
                try await LedgerBinary.run("mirror", "backfill", "--data", data, environment: environment).status == 0)
            // The test looks now and then: of a short run it may miss the end, and hardly of three.
            var peak = 0
            for _ in 0..<(events == 4000 ? 3 : 1) {
                let export = try RunningLedger(["audit", "--format", "csv", "--data", data], environment: environment)
                while export.isRunning {
                    peak = max(peak, Self.peak(of: export.pid) ?? 0)
                    try await Task.sleep(for: .milliseconds(2))
                }
                #expect(try await export.waitForExit() == 0)
                #expect(export.output.utf8.count { $0 == 10 } == events + 1)
            }
            peaks.append(peak)
        }
        // In KiB: the 36,000 events more are 14 MB by themselves.
        #expect(peaks[0] > 0 && peaks[1] - peaks[0] < 8192, "\(peaks)")
    }

    /// The most memory that a process has had, in KiB; nil once it has ended.
    private static func peak(of process: pid_t) -> Int? {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }

    @Test("a mirror whose schema is not this program's is refused before an auditor is answered from it")
    func schema() async throws {
        let database = try await TestCluster.emptyDatabase()
        let environment = ["RDS_URL_LEDGER": database.url]
        let data = scratch.data
        #expect(try await LedgerBinary.bench("replay", "--events", "4", "--history", data).status == 0)
        for words in [["audit"], ["audit", "access"], ["serve", "--port", "0"]] {
            let outcome = try await LedgerBinary.run(words + ["--data", data], environment: environment)
            #expect(outcome.status == 1 && outcome.errors.contains("ledger migrate up"), "\(outcome)")
        }
    }

    @Test("while the mirror is away the API goes on, and auditors are answered from the ledger")
    func away() async throws {
        let cluster = try await OwnCluster.make()
        let environment = ["RDS_URL_LEDGER": cluster.database.url]
        #expect(try await LedgerBinary.run("migrate", "up", environment: environment).status == 0)
        let server = try await LedgerServer(scratch.data, arguments: ["--mirror"], environment: environment)
        _ = try await server.ask(insured: 1, schedule: 1)
        try await server.waitUntilAllEnded()
        try await cluster.stopAtOnce()
        let answer = try #require(try await server.ask(insured: 2, schedule: 2))
        #expect(answer.status == 201)
        try await server.waitUntilAllEnded()
        let ready = try await server.get("/health/ready", until: #""mirror":{"answers":false}"#)
        #expect(ready.status == 200)
        let page = try await server.get("/audit/events?type=completed")
        #expect(page.status == 200 && page.text.contains(#""count":2"#))
        try await cluster.start()
        try await server.stop()
        for words in [["mirror", "backfill"], ["verify", "--mirror"]] {
            let run = try await LedgerBinary.run(words + ["--data", scratch.data], environment: environment)
            #expect(run.status == 0, "\(run)")
        }
    }

    @Test("without a mirror its verbs say which variable names one")
    func none() async throws {
        let server = try await LedgerServer(scratch.data)
        try await server.stop()
        for words in [
            ["mirror", "status"], ["verify", "--mirror"], ["repair", "--mirror", "--dry-run"],
            ["reconcile", "--only", "mirror"], ["rebuild", "--from", "mirror"],
        ] {
            let run = try await LedgerBinary.run(words + ["--data", scratch.data])
            #expect(run.status == 1 && run.errors.contains("RDS_URL_LEDGER"), "\(run)")
        }
    }
}

import Foundation
import Handlers
import TestPrograms
import Testing

/// A ledger where nothing can be written, such as a backup on read-only media.
@Suite struct ReadOnlyTests {
    private let commands: CommandTests
    private var data: String { commands.scratch.data }

    init() throws { commands = try CommandTests() }

    /// Runs commands of a shell while the ledger's directory can only be read: on a read-only mount for root, whom no
    /// mode stops, or with modes that forbid it.
    private func reading(_ script: String) async throws -> LedgerBinary.Outcome {
        let ledger = "ledger() { '\(try LedgerBinary.url().path)' \"$@\" --data '\(data)'; }\n"
        let (program, arguments) =
            geteuid() == 0
            ? (
                "/usr/bin/unshare",
                [
                    "-m", "/bin/bash", "-c",
                    "set -e; mount --bind '\(data)' '\(data)'; mount -o remount,ro,bind '\(data)'; \(ledger)\(script)",
                ]
            )
            : (
                "/bin/bash",
                ["-c", "chmod 500 '\(data)'; trap 'chmod 700 \"\(data)\"' EXIT; set -e; \(ledger)\(script)"]
            )
        let run = try RunningLedger(arguments, program: program)
        let status = try await run.waitForExit()
        return LedgerBinary.Outcome(status: status, output: run.output, errors: run.errors)
    }

    /// A ledger that was closed, with its log or without it.
    private func begin(withLog: Bool) async throws -> [String] {
        let ids = try await commands.begin()
        if withLog {
            // A connection that is killed leaves both files.
            let script = """
                python3 -c 'import sqlite3, os, sys
                a = sqlite3.connect(sys.argv[1] + "/ledger.sqlite")
                a.execute("PRAGMA journal_mode = WAL"); a.execute("UPDATE head SET position = position"); a.commit()
                os.kill(os.getpid(), 9)' '\(data)' || chmod 600 '\(data)'/ledger.sqlite*
                """
            let run = try RunningLedger(["-c", script], program: "/bin/bash")
            _ = try await run.waitForExit()
            try #require(FileManager.default.fileExists(atPath: data + "/ledger.sqlite-wal"))
        }
        return ids
    }

    @Test("a ledger that can only be read is verified, listed and audited where it lies", arguments: [false, true])
    func reads(withLog: Bool) async throws {
        let ids = try await begin(withLog: withLog)
        let outcome = try await reading(
            """
            ledger verify; ledger stats >&2; ledger audit; ledger history \(ids[0]); ledger state \(ids[1])
            ledger audit access; ledger audit view status --status pending; ledger keys list; ledger reconcile >&2
            ledger schedules list; ledger dlq list; ledger verify --sample 2
            """)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("everything holds"))
        #expect(outcome.errors.contains("that you looked is not recorded"))
        #expect(outcome.output.contains(ids[0]) && outcome.output.contains(ids[1]))
    }

    @Test(
        "what has to write says that the ledger can only be read, and what to do",
        arguments: [
            "rebuild --dry-run", "serve --port 0", "keys create --name a --role admin",
            "request --insured 00125 --schedule 102 --country PE", "rebuild",
            "projections pause appointments",
        ])
    func writes(command: String) async throws {
        _ = try await begin(withLog: false)
        let outcome = try await reading("ledger \(command) < /dev/null")
        #expect(outcome.status == 1, "\(outcome.output)")
        #expect(outcome.errors.contains("can only be read"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("SQLite error"))
    }

    @Test("a log without its index is not passed over, and a file of an older program is not taken for today's")
    func words() async throws {
        _ = try await begin(withLog: true)
        try FileManager.default.removeItem(atPath: data + "/ledger.sqlite-shm")
        let log = try await reading("ledger verify")
        #expect(log.status == 1 && log.errors.contains("ledger.sqlite-wal holds what is not in"), "\(log.errors)")
        #expect(try await commands.run("verify").status == 0)
        let script = """
            import sqlite3, sys
            a = sqlite3.connect(sys.argv[1] + "/ledger.sqlite")
            a.execute("DELETE FROM grdb_migrations WHERE identifier LIKE '%protection%'"); a.commit()
            """
        let older = try RunningLedger(["-c", script, data], program: "/usr/bin/python3")
        try #require(try await older.waitForExit() == 0)
        let old = try await reading("ledger verify")
        #expect(old.status == 1 && old.errors.contains("was written by an older program"), "\(old.errors)")
    }
}

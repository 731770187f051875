import Foundation
import TestPrograms
import Testing

/// Rebuilds of the real program, killed.
@Suite struct RebuildCrashTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func sql(_ script: String) async throws -> String {
        let program =
            "import sqlite3,sys; c = sqlite3.connect(sys.argv[1], timeout=30); "
            + "[print(r) for s in sys.stdin.read().split(\";\") for r in c.execute(s)]; c.commit()"
        let run = try RunningLedger(
            ["-c", "python3 -c '\(program)' '\(scratch.data)/ledger.sqlite'"], input: script, program: "/bin/bash")
        try #require(try await run.waitForExit() == 0, "\(run.errors)")
        return run.output
    }

    /// How many events the unfinished set holds: 0 when there is none.
    private func filled() async throws -> Int {
        Int(try await sql("SELECT coalesce(max(events), 0) FROM view_sets").filter(\.isNumber)) ?? 0
    }

    /// Kills a rebuild as soon as its unfinished set holds more events than those; gives how many it held.
    private func kill(_ run: RunningProgram, beyond events: Int) async throws -> Int {
        let watch = """
            import os, sqlite3, sys
            c = sqlite3.connect(sys.argv[1], timeout=30)
            while os.path.exists("/proc/" + sys.argv[2] + "/exe"):
                if c.execute("SELECT coalesce(max(events), 0) FROM view_sets").fetchone()[0] > int(sys.argv[3]):
                    os.kill(int(sys.argv[2]), 9)
                    break
            """
        let watcher = try RunningLedger(
            ["-c", watch, scratch.data + "/ledger.sqlite", String(run.pid), String(events)],
            program: "/usr/bin/python3")
        try await watcher.waitForExit()
        return try await filled()
    }

    private func export() async throws -> String { try await sql("SELECT * FROM appointments ORDER BY appointment") }

    private func damage() async throws {
        _ = try await sql("UPDATE appointments SET status = 'failed' WHERE substr(appointment, 16) = x'07'")
    }

    @Test("a rebuild that is killed goes on behind what it had written, and ends with the bytes of the live view")
    func kills() async throws {
        let events = 24_000
        let made = try await LedgerBinary.bench(
            "replay", "--events", "\(events)", "--history", scratch.data, "--scratch", scratch.path)
        try #require(made.status == 0, "\(made.errors)")
        let whole = try await export()
        #expect(whole.split(separator: "\n").count == events / 4)
        try await damage()
        #expect(try await export() != whole)
        let damaged = try await export()
        // Each run is killed as soon as it has written more than the one before it, so each has to go on. On a machine
        // that is busy with others the first one may be done before the signal comes: then all begins again.
        var marks: [Int] = []
        for _ in 0..<5 where !marks.contains(where: { $0 < events }) {
            marks = []
            try await damage()
            while marks.last ?? 0 < events {
                let run = try RunningLedger(["rebuild", "--yes", "--data", scratch.data])
                let mark = try await kill(run, beyond: marks.last ?? 0)
                if try await run.waitForExit() == 0 { break }
                marks.append(mark)
                #expect(try await export() == damaged, "a reader sees the live view until the swap")
            }
        }
        #expect(marks.contains { $0 < events } && marks == marks.sorted(), "\(marks)")
        // Now wherever chance has it: while indexes are built, rows compared, tables swapped, the old one emptied.
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix(state: seed)
        for _ in 0..<6 {
            let run = try RunningLedger(["rebuild", "--yes", "--data", scratch.data])
            try await Task.sleep(for: .milliseconds(Int(random.next() % 1500)))
            run.signal(SIGKILL)
            try await run.waitForExit()
            let live = try await export()
            #expect(live == damaged || live == whole, "half a swap, seed \(seed)")
        }
        let ended = try await LedgerBinary.run("rebuild", "--yes", "--data", scratch.data)
        #expect(ended.status == 0, "\(ended.errors), seed \(seed)")
        #expect(try await export() == whole, "seed \(seed)")
        // The history was made without any country: no slot is held for it.
        let verified = try await LedgerBinary.run("verify", "--store", "--views", "--data", scratch.data)
        #expect(verified.status == 0, "\(verified.output)\(verified.errors), seed \(seed)")
        let tables = try await sql("SELECT name FROM sqlite_master WHERE name LIKE 'appointments_%' AND type = 'table'")
        #expect(!tables.contains("set_") && !tables.contains("gone"), "\(tables)")
    }
}

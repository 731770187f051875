import EventStore
import Foundation
import TestPrograms
import TestTrees
import Testing
import TransparencyLog

@Suite struct MonitorTests {
    let scratch: ScratchDirectory
    let log: WrittenLog
    private var folder: String { scratch.path + "/log" }
    private var seen: String { scratch.path + "/seen" }

    init() throws {
        scratch = try ScratchDirectory()
        log = try WrittenLog(try WrittenLog.entries(600))
    }

    private func monitor(_ options: String..., key: VerifierKey? = nil) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(
            ["monitor", "file://\(folder)", "--key", "\(key ?? log.key.verifier)", "--data", seen, "--once"] + options)
    }

    private func change(_ outcome: LedgerBinary.Outcome) throws -> String? {
        guard let line = outcome.lines.last else { return nil }
        return try JSONValue(Array(line.utf8))["change"]?.text
    }

    @Test("it goes on from where the last run ended, and prints one line for each look")
    func resumes() async throws {
        for (size, expected) in [(0, "first"), (300, "grown"), (300, "same"), (600, "grown")] {
            try log.write(ofSize: size, to: folder)
            let outcome = try await monitor()
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try change(outcome) == expected && outcome.lines.count == 1)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: seen)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }

    @Test("a fork ends it with 2, and a file has both checkpoints as they were signed")
    func fork() async throws {
        try log.write(ofSize: 300, to: folder)
        #expect(try await monitor().status == 0)
        var other = log
        other.entries[200] = try WrittenLog.entry(stream: 77, version: 1, previous: nil, number: 9)
        try other.write(ofSize: 500, to: folder)
        for _ in 0..<2 {
            let outcome = try await monitor()
            #expect(outcome.status == 2 && outcome.errors.contains("the log has forked"), "\(outcome.errors)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: seen).filter { $0.hasPrefix("fork-") }
        try #require(files.count == 1)
        let evidence = try String(contentsOfFile: "\(seen)/\(files[0])", encoding: .utf8)
        for note in [try log.note(ofSize: 300), try other.note(ofSize: 500)] {
            #expect(evidence.contains(String(decoding: note.bytes, as: UTF8.self)))
        }
    }

    @Test("a smaller log ends it with 3, a tampered tile or entry with 2, one that is missing with 3")
    func findings() async throws {
        try log.write(ofSize: 300, to: folder)
        #expect(try await monitor().status == 0)
        try WrittenLog.put(try log.note(ofSize: 256).bytes, folder + "/checkpoint")
        let smaller = try await monitor()
        #expect(try smaller.status == 3 && change(smaller) == "smaller", "\(smaller.errors)")
        try log.write(ofSize: 600, to: folder)
        for path in ["tile/0/001", "tile/entries/001"] {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(path)")))
            var bad = bytes
            bad[bad.count / 2] ^= 1
            try WrittenLog.put(bad, "\(folder)/\(path)")
            let tampered = try await monitor()
            #expect(tampered.status == 2, "\(path): \(tampered.errors)")
            try FileManager.default.removeItem(atPath: "\(folder)/\(path)")
            #expect(try await monitor().status == 3)
            try WrittenLog.put(bytes, "\(folder)/\(path)")
        }
        let whole = try await monitor()
        #expect(whole.status == 0, "\(whole.errors)")
    }

    @Test("a note that is cut, a wrong key, no log and another log end it with 1, and nothing is kept")
    func untrusted() async throws {
        #expect(try await monitor().status == 1)
        try log.write(ofSize: 300, to: folder)
        let stranger = try SigningKey(name: "log.example/a", type: .ed25519, seed: Array(repeating: 8, count: 32))
        let wrong = try await monitor(key: stranger.verifier)
        #expect(wrong.status == 1 && wrong.errors.contains("not to be trusted"), "\(wrong.errors)")
        try WrittenLog.put(Array(try log.note(ofSize: 300).bytes.dropLast()), folder + "/checkpoint")
        #expect(try await monitor().status == 1)
        try log.write(ofSize: 300, to: folder)
        #expect(try change(try await monitor()) == "first")
        let other = try WrittenLog(log.entries, origin: "log.example/b")
        try other.write(ofSize: 300, to: folder)
        let outcome = try await monitor(key: other.key.verifier)
        #expect(outcome.status == 1 && outcome.errors.contains("log.example/b"), "\(outcome.errors)")
    }

    @Test("a log of something else is followed with --opaque alone, by a policy with a witness")
    func opaque() async throws {
        let other = try WrittenLog((0..<300).map { Array("entry \($0)".utf8) })
        try other.write(ofSize: 300, to: folder)
        let refused = try await monitor()
        #expect(refused.status == 2 && refused.errors.contains("--opaque"), "\(refused.errors)")
        let witness = try SigningKey(name: "w", type: .cosignature, seed: Array(repeating: 3, count: 32))
        try WrittenLog.put(
            Array("log \(other.key.verifier)\nwitness w \(witness.verifier)\nquorum w\n".utf8),
            scratch.path + "/policy.txt")
        try WrittenLog.put(try other.note(ofSize: 300, witnesses: [witness]).bytes, folder + "/checkpoint")
        let outcome = try await LedgerBinary.run(
            "monitor", "file://\(folder)", "--policy", scratch.path + "/policy.txt", "--data", seen + "2", "--opaque",
            "--once", "--format", "json")
        #expect(outcome.status == 0 && outcome.output.contains(#""witnesses":["w"]"#), "\(outcome.errors)")
    }

    @Test("from any web server it prints a line for each growth, waits while nobody answers, and ends at a fork")
    func follows() async throws {
        try log.write(ofSize: 10, to: folder)
        let server = try RunningLedger(
            ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder],
            program: "/usr/bin/env")
        let port = try await Self.port(of: server)
        let run = try RunningLedger([
            "monitor", "http://127.0.0.1:\(port)", "--key", "\(log.key.verifier)", "--data", seen, "--every", "1",
        ])
        try await Self.wait(run) { $0.output.contains(#""size":10,"#) }
        for size in [256, 600] {
            try log.write(ofSize: size, to: folder)
            try await Self.wait(run) { $0.output.contains(#""change":"grown","size":\#(size),"#) }
        }
        try FileManager.default.moveItem(atPath: folder + "/checkpoint", toPath: folder + "/away")
        try await run.waitForErrors("the log does not answer")
        var other = log
        other.entries[599] = try WrittenLog.entry(stream: 77, version: 1, previous: nil, number: 9)
        try other.write(ofSize: 600, to: folder)
        #expect(try await run.waitForExit() == 2)
        #expect(run.errors.contains("the log has forked"))
        server.signal(SIGKILL)
        try await server.waitForExit()
    }

    private static func port(of server: RunningLedger) async throws -> Int {
        try await wait(server) { $0.output.firstMatch(of: #/port [0-9]+[^0-9]/#) != nil }
        return try #require(server.output.firstMatch(of: #/port ([0-9]+)/#).flatMap { Int($0.1) })
    }

    private static func wait(_ run: RunningLedger, until holds: (RunningLedger) -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while !holds(run) {
            try #require(run.isRunning && ContinuousClock.now < end, "it never came: \(run.output) \(run.errors)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

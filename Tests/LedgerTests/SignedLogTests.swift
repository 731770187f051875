import EventStore
import Foundation
import RawHTTP
import TestPrograms
import Testing
import TransparencyLog

/// The log that anybody can check, as the program signs, serves, publishes and proves it.
@Suite struct SignedLogTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func run(_ words: String...) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(words + ["--data", scratch.data])
    }

    private func note() throws -> SignedNote {
        try SignedNote(Array(try Data(contentsOf: URL(fileURLWithPath: scratch.data + "/ledger.checkpoint"))))
    }

    /// Waits until everything that was recorded is signed.
    private func waitUntilSigned(_ server: LedgerServer) async throws {
        try await server.waitUntilAllEnded()
        try await server.get("/metrics", until: #"ledger_log_state{state="signed"} 1"#)
    }

    /// Reads from a server all that its checkpoint covers, as any client of such a log would, into a directory.
    private func download(_ server: LedgerServer, to directory: String) async throws -> Checkpoint {
        let note = try await server.get("/ledger/checkpoint").body
        let checkpoint = try Checkpoint(text: try SignedNote(note).text)
        var paths = (0...((checkpoint.size - 1) / 256)).compactMap {
            TilePath.bundle(index: $0, ofSize: checkpoint.size)
        }
        for level in 0..<8 {
            let count = TilePath.hashes(onLevel: level, ofSize: checkpoint.size)
            paths += (0..<((count + 255) / 256)).compactMap {
                TilePath.tile(level: level, index: $0, ofSize: checkpoint.size)
            }
        }
        for path in paths {
            let answer = try await server.get("/ledger/\(path)")
            try #require(answer.status == 200, "\(path): \(answer.text)")
            try write(answer.body, to: "\(directory)/\(path)")
        }
        try write(note, to: directory + "/checkpoint")
        return checkpoint
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    @Test(
        "packages of Go's own read the tiles that a server gives out while its log grows, and refuse what was changed",
        .enabled(if: Judge.isInstalled, "golang-go and golang-golang-x-mod-dev are not installed"))
    func served() async throws {
        let server = try await LedgerServer(scratch.data, arguments: ["--origin", "clinic.example/log"])
        let key = try await server.get("/ledger/key").text.split(separator: "\n").first.map(String.init) ?? ""
        #expect(key.hasPrefix("clinic.example/log+"))
        let directory = scratch.path + "/served"
        var older: [String] = []
        for round in 0..<4 {
            for number in (20 * round)..<(20 * round + 20) {
                _ = try await server.ask(insured: number, schedule: number + 1)
            }
            try await server.get("/ledger/checkpoint", until: "clinic.example")
            if round == 3 { try await waitUntilSigned(server) }
            let checkpoint = try await download(server, to: directory)
            let judged = try await Judge.run(["log", directory, key] + older)
            #expect(judged.status == 0, "\(judged)")
            #expect(judged.said == "size \(checkpoint.size)\n")
            let kept = scratch.path + "/checkpoint-\(round)"
            try? FileManager.default.copyItem(atPath: directory + "/checkpoint", toPath: kept)
            older = [kept]
        }
        let size = try Checkpoint(text: try note().text).size
        #expect(size == 320)
        for path in ["tile/0/000", "tile/entries/000", "tile/0/001.p/64", "checkpoint"] {
            let whole = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + path))
            var changed = whole
            changed[changed.count / 2] ^= 1
            try write(Array(changed), to: directory + "/" + path)
            #expect(try await Judge.run(["log", directory, key]).status == 2, "\(path)")
            try write(Array(whole), to: directory + "/" + path)
        }
        try await server.stop()
        let published = scratch.path + "/published"
        for files in [7, 0] {
            let outcome = try await run("checkpoint", "publish", "--to", published)
            #expect(outcome.status == 0 && outcome.errors.contains("to size 320, \(files) files"), "\(outcome)")
            #expect(try await Judge.run(["log", published, key] + older).status == 0)
        }
    }

    @Test("proofs are checked with nothing but the file, and what does not hold ends with 2")
    func proofs() async throws {
        let server = try await LedgerServer(scratch.data)
        let id = try #require(try await server.ask(insured: 1, schedule: 1)).text("appointmentId")
        for number in 2...6 { _ = try await server.ask(insured: number, schedule: number) }
        try await waitUntilSigned(server)
        let key = String(try await run("checkpoint", "key").output.dropLast())
        let files = ["event", "history", "absent", "growth"].map { "\(scratch.path)/\($0)" }
        let stranger = "01a23005-0fbe-73e8-87a5-74a9e3d645f1"
        for (words, file) in zip(
            [
                ["event", id, "--version", "2"], ["history", id], ["history", stranger],
                ["consistency", "--from", "9"],
            ], files)
        {
            let proved = try await LedgerBinary.run(["prove"] + words + ["-o", file, "--data", scratch.data])
            #expect(proved.status == 0, "\(proved)")
            #expect(proved.errors.contains("absent") == (file == files[2]), "\(proved)")
            let held = try await LedgerBinary.run("verify-proof", file, "--key", key)
            #expect(held.status == 0 && held.errors.contains("it holds"), "\(held)")
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            // A hash of the proof, or the size that was signed.
            let place = bytes.count - 150
            bytes[place] = bytes[place] == 0x41 ? 0x42 : 0x41
            try write(Array(bytes), to: scratch.path + "/changed")
            let refused = try await LedgerBinary.run("verify-proof", scratch.path + "/changed", "--key", key)
            #expect(refused.status == 2 && refused.errors.contains("does not hold"), "\(file): \(refused)")
        }
        let history = try await LedgerBinary.run("verify-proof", files[1], "--key", key, "--format", "ndjson")
        #expect(history.lines.count == 4)
        let other = try SigningKey(
            name: String(key.prefix { $0 != "+" }), type: .ed25519, seed: Array(repeating: 1, count: 32))
        let unknown = try await LedgerBinary.run("verify-proof", files[0], "--key", "\(other.verifier)")
        #expect(unknown.status == 2, "\(unknown)")
        #expect(try await LedgerBinary.run("verify-proof", files[0]).status == 1)
        #expect(try await LedgerBinary.run("verify-proof", files[0], "--key", "nonsense").status == 1)
        #expect(try await run("prove", "event", id, "--version", "9").status == 1)
        #expect(try await run("prove", "consistency", "--from", "1000").status == 1)
        try await server.stop()
    }

    @Test(
        "an older copy is found by the file of the last checkpoint, is not signed, and goes on as a new log when told")
    func putBack() async throws {
        var server = try await LedgerServer(scratch.data)
        for number in 1...3 { _ = try await server.ask(insured: number, schedule: number) }
        try await waitUntilSigned(server)
        try await server.stop()
        let backup = scratch.path + "/backup"
        try FileManager.default.copyItem(atPath: scratch.data, toPath: backup)
        server = try await LedgerServer(scratch.data)
        for number in 4...9 { _ = try await server.ask(insured: number, schedule: number) }
        try await waitUntilSigned(server)
        try await server.stop()
        let signed = try note()
        for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
            try? FileManager.default.removeItem(atPath: scratch.data + "/" + name)
            guard FileManager.default.fileExists(atPath: backup + "/" + name) else { continue }
            try FileManager.default.copyItem(atPath: backup + "/" + name, toPath: scratch.data + "/" + name)
        }
        let shown = try await run("checkpoint", "show")
        #expect(shown.status == 2 && shown.output.contains(#""state":"cut-off""#), "\(shown)")
        #expect(try await run("checkpoint", "sign").status == 2)
        let cut = try await run("verify", "--log")
        #expect(cut.status == 2 && cut.output.contains("log-cut-off"), "\(cut)")

        server = try await LedgerServer(scratch.data)
        try await server.run.waitForErrors("no checkpoint is signed: the log has 12 events, and had 36")
        try await server.get("/health/ready", until: #""log":{"state":"cut-off","size":12,"signed":36"#)
        try await server.get("/metrics", until: "ledger_log_alarm 1")
        for number in 11...19 { #expect(try await server.ask(insured: number, schedule: number)?.status == 201) }
        try await server.waitUntilAllEnded()
        try await server.get("/metrics", until: #"ledger_log_state{state="forked"} 1"#)
        #expect(try await server.get("/ledger/checkpoint").body == signed.bytes)
        #expect(try await run("checkpoint", "begin", "--origin", "clinic.example/2", "--yes").status == 1)
        try await server.stop()
        #expect(try note().bytes == signed.bytes)
        let forked = try await run("verify")
        #expect(forked.status == 2 && forked.lines.count == 1 && forked.output.contains("log-forked"), "\(forked)")

        #expect(try await run("checkpoint", "begin", "--origin", "clinic.example/2").status == 1)
        let old = try Checkpoint(text: signed.text).origin
        #expect(try await run("checkpoint", "begin", "--origin", old, "--yes").status == 1)
        let begun = try await run("checkpoint", "begin", "--origin", "clinic.example/2", "--yes")
        #expect(begun.status == 0 && begun.lines.count == 3, "\(begun)")
        let kept = try FileManager.default.contentsOfDirectory(atPath: scratch.data).filter {
            $0.hasPrefix("ledger.checkpoint.")
        }
        #expect(
            try kept.map { try Data(contentsOf: URL(fileURLWithPath: "\(scratch.data)/\($0)")) } == [Data(signed.bytes)]
        )
        #expect(try Checkpoint(text: try note().text).origin == "clinic.example/2")
        server = try await LedgerServer(scratch.data)
        _ = try await server.ask(insured: 21, schedule: 21)
        try await waitUntilSigned(server)
        #expect(try await server.get("/ledger/key").text.hasPrefix("clinic.example/2+"))
        try await server.stop()
        #expect(try await run("verify").status == 0)
    }

    @Test("a lost key stops the signing and nothing else, and an origin stays as it was begun")
    func key() async throws {
        var server = try await LedgerServer(scratch.data, arguments: ["--origin", "clinic.example/log"])
        _ = try await server.ask(insured: 1, schedule: 1)
        try await waitUntilSigned(server)
        try await server.stop()
        let other = try await run("serve", "--port", "0", "--origin", "clinic.example/other")
        #expect(other.status == 1 && other.errors.contains("was begun as clinic.example/log"), "\(other)")
        let path = scratch.data + "/log.key"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let key = try Data(contentsOf: URL(fileURLWithPath: path))
        try FileManager.default.removeItem(atPath: path)
        server = try await LedgerServer(scratch.data)
        try await server.run.waitForErrors("log.key is missing")
        #expect(try await server.ask(insured: 2, schedule: 2)?.status == 201)
        try await server.get("/health/ready", until: #""log":{"state":"damaged""#)
        #expect(try await server.get("/ledger/checkpoint").status == 404)
        try await server.stop()
        try key.write(to: URL(fileURLWithPath: path))
        chmod(path, 0o644)
        let open = try await run("checkpoint", "show")
        #expect(open.status == 1 && open.errors.contains("chmod 600"), "\(open)")
        chmod(path, 0o600)
        #expect(try await run("checkpoint", "sign").status == 0)
    }
}

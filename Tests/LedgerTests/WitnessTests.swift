import EventStore
import Foundation
import RawHTTP
import TestPrograms
import TestTrees
import Testing
import TransparencyLog

/// A witness of the built program.
struct WitnessServer: Sendable {
    let run: RunningLedger
    let port: Int

    /// Makes the key and the policy of a witness in a folder; gives its verifier key.
    static func prepare(_ folder: String, logs: [VerifierKey]) async throws -> VerifierKey {
        let made = try await LedgerBinary.run("witness", "key", "--name", "witness.example/w", "-o", "\(folder)/w.key")
        try #require(made.status == 0, "\(made.errors)")
        let policy = logs.map { "log \($0)\n" }.joined() + "quorum none\n"
        try WrittenLog.put(Array(policy.utf8), "\(folder)/logs.txt")
        return try VerifierKey(made.lines[0])
    }

    /// Starts the witness of a folder and waits until it listens.
    init(_ folder: String) async throws {
        run = try RunningLedger([
            "witness", "serve", "--policy", "\(folder)/logs.txt", "--key", "\(folder)/w.key", "--data",
            "\(folder)/witness", "--port", "0",
        ])
        port = try await run.listeningPort()
    }

    func add(old: Int, _ note: SignedNote, proof: [Hash] = []) async throws -> Answer {
        try await post(AddCheckpointRequest(oldSize: old, proof: proof, note: note).bytes)
    }

    func post(_ body: [UInt8]) async throws -> Answer {
        let head = "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: \(body.count)\r\n\r\n"
        return try #require(try await exchange(port, Array(head.utf8) + body))
    }

    /// Asks for the last checkpoint of a log.
    func checkpoint(of origin: String) async throws -> Answer {
        let name = Hash(of: Array(origin.utf8)).bytes.map { String(format: "%02x", $0) }.joined()
        return try #require(try await exchange(port, RawHTTP.request("GET /\(name)/checkpoint")))
    }
}

extension RunningProgram {
    /// Waits until the program says where it listens.
    func listeningPort() async throws -> Int {
        let mark = #/listening on 127\.0\.0\.1:([0-9]+)[^0-9]/#
        let end = ContinuousClock.now + .seconds(120)
        while true {
            if let match = errors.firstMatch(of: mark), let port = Int(match.1) { return port }
            try #require(isRunning && ContinuousClock.now < end, "it does not listen: \(errors)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

@Suite struct WitnessTests {
    let scratch: ScratchDirectory
    let log: WrittenLog

    init() throws {
        scratch = try ScratchDirectory()
        log = try WrittenLog((0..<600).map { [UInt8($0 & 255), UInt8($0 >> 8)] })
    }

    private func proof(_ old: Int, _ new: Int) -> [Hash] { NaiveTree.consistency(old, log.leaves[..<new]) }

    @Test("a key file is its owner's alone, is never overwritten, and its verifier key is printed")
    func keyFile() async throws {
        let key = try await WitnessServer.prepare(scratch.path, logs: [log.key.verifier])
        #expect(key.name == "witness.example/w" && key.type == .cosignature)
        let path = scratch.path + "/w.key"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(try SigningKey(secretText: text.dropLast()).verifier == key)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let again = try await LedgerBinary.run("witness", "key", "--name", "other", "-o", path)
        #expect(again.status == 1 && again.output.isEmpty)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        let wrong = try await LedgerBinary.run("witness", "key", "--name", "a b", "-o", path + "2")
        #expect(wrong.status == 1 && !FileManager.default.fileExists(atPath: path + "2"))
    }

    @Test("what was signed is remembered by a witness that was killed, each time")
    func killed() async throws {
        let key = try await WitnessServer.prepare(scratch.path, logs: [log.key.verifier])
        var last = 0
        for size in [1, 2, 256, 300, 300, 600] {
            let witness = try await WitnessServer(scratch.path)
            let stale = try await witness.add(old: 599, try log.note(ofSize: 599))
            #expect(stale.status == 409 && stale.text == "\(last)\n")
            #expect(stale.header("Content-Type") == "text/x.tlog.size")
            let note = try log.note(ofSize: size)
            let answer = try await witness.add(old: last, note, proof: last == 0 ? [] : proof(last, size))
            witness.run.signal(SIGKILL)
            try await witness.run.waitForExit()
            #expect(answer.status == 200, "\(answer.text)")
            var signed = note
            let verified = try signed.add(try NoteSignature.lines(answer.body), by: [key])
            #expect(verified.count == 1 && verified[0].time ?? 0 > 0)
            last = size
        }
        let witness = try await WitnessServer(scratch.path)
        let shown = try await witness.checkpoint(of: "log.example/a")
        #expect(shown.status == 200 && shown.header("Cache-Control") == "no-cache")
        let note = try SignedNote(shown.body)
        #expect(try note.text == log.note(ofSize: 600).text)
        #expect(try note.verified(by: [key, log.key.verifier]).count == 2)
        #expect(try await witness.checkpoint(of: "log.example/b").status == 404)
        witness.run.signal(SIGTERM)
        #expect(try await witness.run.waitForExit() == 0)
    }

    @Test("each bad request has its status, and none of them changes what is signed next")
    func badRequests() async throws {
        _ = try await WitnessServer.prepare(scratch.path, logs: [log.key.verifier])
        let witness = try await WitnessServer(scratch.path)
        let stranger = try WrittenLog(log.entries, origin: "log.example/b")
        var fork = log
        fork.entries[3] = [9]
        #expect(try await witness.add(old: 0, try log.note(ofSize: 300)).status == 200)
        #expect(try await witness.add(old: 0, try stranger.note(ofSize: 300)).status == 404)
        #expect(try await witness.add(old: 301, try log.note(ofSize: 300)).status == 400)
        #expect(try await witness.add(old: 300, try fork.note(ofSize: 300)).status == 422)
        #expect(try await witness.add(old: 300, try fork.note(ofSize: 400), proof: proof(300, 400)).status == 422)
        #expect(try await witness.add(old: 300, try log.note(ofSize: 400), proof: proof(299, 400)).status == 422)
        #expect(try await witness.add(old: 0, try log.note(ofSize: 400)).status == 409)
        let forged = try SignedNote(
            text: try log.note(ofSize: 400).text, signatures: try log.note(ofSize: 300).signatures)
        #expect(try await witness.add(old: 300, forged, proof: proof(300, 400)).status == 403)
        let bytes = AddCheckpointRequest(oldSize: 300, proof: proof(300, 400), note: try log.note(ofSize: 400)).bytes
        for cut in stride(from: 0, to: bytes.count, by: 17) {
            #expect(try await witness.post(Array(bytes.prefix(cut))).status == 400)
        }
        #expect(try await witness.post(Array(repeating: 65, count: 70_000)).status == 413)
        for (line, status) in [
            ("GET /add-checkpoint", 405), ("POST /", 404), ("GET /", 404), ("GET /x/checkpoint", 404),
            ("DELETE /\(String(repeating: "0", count: 64))/checkpoint", 405),
        ] {
            let answer = try #require(try await exchange(witness.port, RawHTTP.request(line)))
            #expect(answer.status == status, "\(line)")
        }
        #expect(try await witness.post(bytes).status == 200)
    }

    @Test("of two witnesses on one directory only one signs from the same old size")
    func twoProcesses() async throws {
        _ = try await WitnessServer.prepare(scratch.path, logs: [log.key.verifier])
        let pair = [try await WitnessServer(scratch.path), try await WitnessServer(scratch.path)]
        var last = 0
        for size in [10, 20, 30, 40, 50] {
            let sizes = [size, size + 1]
            let answers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for (witness, size) in zip(pair, sizes) {
                    let proof = last == 0 ? [] : proof(last, size)
                    let (note, old) = (try log.note(ofSize: size), last)
                    group.addTask { (size, try await witness.add(old: old, note, proof: proof).status) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.1).sorted() == [200, 409], "\(answers)")
            last = try #require(answers.first { $0.1 == 200 }?.0)
        }
    }

    @Test("it does not begin with a key that others can read, that is no witness' key, or without a log to know")
    func settings() async throws {
        let folder = scratch.path
        _ = try await WitnessServer.prepare(folder, logs: [])
        func serve() async throws -> LedgerBinary.Outcome {
            try await LedgerBinary.run(
                "witness", "serve", "--policy", folder + "/logs.txt", "--key", folder + "/w.key", "--data",
                folder + "/witness", "--port", "0")
        }
        var outcome = try await serve()
        #expect(outcome.status == 1 && outcome.errors.contains("no line log"))
        try WrittenLog.put(Array("log \(log.key.verifier)\nquorum".utf8), folder + "/logs.txt")
        outcome = try await serve()
        #expect(outcome.status == 1 && outcome.errors.contains("is the file whole?"))
        try WrittenLog.put(Array("log \(log.key.verifier)\nquorum none\n".utf8), folder + "/logs.txt")
        chmod(folder + "/w.key", 0o644)
        outcome = try await serve()
        #expect(outcome.status == 1 && outcome.errors.contains("chmod 600"))
        try WrittenLog.put(Array("\(log.key.secretText)\n".utf8), folder + "/w.key")
        chmod(folder + "/w.key", 0o600)
        outcome = try await serve()
        #expect(outcome.status == 1 && outcome.errors.contains("holds no witness' key"))
        #expect(!outcome.errors.contains(log.key.secretText))
    }
}

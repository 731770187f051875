import EventStore
import Foundation
import RawHTTP
import TestPrograms
import TestTrees
import Testing
import TransparencyLog

/// The ledger with a witness and a monitor, each a process of its own.
@Suite struct CosigningTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// The verifier key of the ledger's log, which is begun here.
    private func logKey() async throws -> VerifierKey {
        let server = try await LedgerServer(scratch.data)
        let answer = try await server.get("/ledger/key", until: "+")
        try await server.stop()
        return try VerifierKey(answer.text.split(separator: "\n")[0])
    }

    private func serve(_ witness: WitnessServer, _ key: VerifierKey) async throws -> LedgerServer {
        try await LedgerServer(
            scratch.data,
            arguments: ["--witness", "http://127.0.0.1:\(witness.port)", "--witness-key", "\(key)"])
    }

    @Test("each checkpoint that is served gets the witness' signature, and a monitor follows them both")
    func cosigned() async throws {
        let log = try await logKey()
        let key = try await WitnessServer.prepare(scratch.path, logs: [log])
        let witness = try await WitnessServer(scratch.path)
        let server = try await serve(witness, key)
        try WrittenLog.put(
            Array("log \(log)\nwitness w \(key)\nquorum w\n".utf8), scratch.path + "/policy.txt")
        for schedule in 1...3 {
            _ = try await server.ask(insured: schedule, schedule: schedule)
            try await server.waitUntilAllEnded()
            try await server.get("/ledger/checkpoint", until: key.name)
            let monitor = try await LedgerBinary.run(
                "monitor", "http://127.0.0.1:\(server.port)/ledger", "--policy", scratch.path + "/policy.txt",
                "--data", scratch.path + "/seen", "--once")
            #expect(monitor.status == 0, "\(monitor.errors)")
            #expect(monitor.output.contains(#""witnesses":["witness.example/w"]"#))
        }
        try await server.stop()
    }

    @Test("while the witness is away or hangs requests are answered and checkpoints signed as ever")
    func away() async throws {
        let log = try await logKey()
        let key = try await WitnessServer.prepare(scratch.path, logs: [log])
        let witness = try await WitnessServer(scratch.path)
        witness.run.signal(SIGSTOP)
        let server = try await serve(witness, key)
        _ = try await server.ask(insured: 1, schedule: 1)
        try await server.waitUntilAllEnded()
        try await server.get("/ledger/checkpoint", until: log.name)
        witness.run.signal(SIGCONT)
        try await server.get("/ledger/checkpoint", until: key.name)
        try await server.stop()
    }

    @Test("a ledger that is put back with all its files is found by its witness and by a monitor")
    func putBack() async throws {
        let log = try await logKey()
        let key = try await WitnessServer.prepare(scratch.path, logs: [log])
        let witness = try await WitnessServer(scratch.path)
        var server = try await serve(witness, key)
        _ = try await server.ask(insured: 1, schedule: 1)
        try await server.waitUntilAllEnded()
        try await server.get("/ledger/checkpoint", until: key.name)
        try await server.stop()
        let copy = scratch.path + "/copy"
        try FileManager.default.copyItem(atPath: scratch.data, toPath: copy)
        server = try await serve(witness, key)
        _ = try await server.ask(insured: 2, schedule: 2)
        try await server.waitUntilAllEnded()
        try await server.stop()
        let seen = scratch.path + "/seen"
        // What was signed last is seen by the monitor and by the witness.
        server = try await serve(witness, key)
        try await server.get("/ledger/checkpoint", until: key.name)
        func look() async throws -> LedgerBinary.Outcome {
            try await LedgerBinary.run(
                "monitor", "http://127.0.0.1:\(server.port)/ledger", "--key", "\(log)", "--data", seen, "--once")
        }
        #expect(try await look().status == 0)
        try await server.stop()
        // Database, checkpoint and all other files: nothing on this machine remembers.
        try FileManager.default.removeItem(atPath: scratch.data)
        try FileManager.default.moveItem(atPath: copy, toPath: scratch.data)
        server = try await serve(witness, key)
        try await server.run.waitForErrors("it was put back to an older copy")
        #expect(try await look().status == 3)
        // It goes another way, and becomes longer than it was.
        for schedule in 3...6 { _ = try await server.ask(insured: schedule, schedule: schedule) }
        try await server.waitUntilAllEnded()
        try await server.run.waitForErrors("the witness has signed another log of this name")
        let end = ContinuousClock.now + .seconds(60)
        var outcome = try await look()
        while outcome.status == 3, ContinuousClock.now < end { outcome = try await look() }
        #expect(outcome.status == 2 && outcome.errors.contains("the log has forked"), "\(outcome.errors)")
        try await server.stop()
    }
}

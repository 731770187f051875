import EventStore
import Foundation
import RawHTTP
import Synchronization
import TestPrograms
import Testing
import TransparencyLog

/// What a client knows of its requests, kept outside of the server.
private final class Acknowledgements: Sendable {
    private let state: Mutex<(open: [Int], ids: [Int: String])>

    init(requests: Int) { state = Mutex((Array(0..<requests), [:])) }

    /// The next request that has no answer yet.
    func take() -> Int? { state.withLock { $0.open.popLast() } }

    func giveBack(_ request: Int) { state.withLock { $0.open.insert(request, at: 0) } }

    func acknowledge(_ request: Int, _ id: String) { state.withLock { $0.ids[request] = id } }

    var ids: [Int: String] { state.withLock { $0.ids } }
    var isComplete: Bool { state.withLock { $0.open.isEmpty } }
}

@Suite struct CrashTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    @Test("killed fifty times under load, the ledger verifies each time and has every acknowledged request once")
    func kills() async throws {
        var generator = SystemRandomNumberGenerator()
        let seed = generator.next()
        print("seed of the kills: \(seed)")
        var random = SplitMix(state: seed)
        let requests = Acknowledgements(requests: 1000)
        var signed: [Checkpoint] = []
        for _ in 0..<50 {
            try await live(forMilliseconds: Int(random.next() % 250) + 5, requests)
            if FileManager.default.fileExists(atPath: scratch.data + "/ledger.key") {
                let verified = try await LedgerBinary.run("verify", "--data", scratch.data)
                try #require(verified.status == 0, "\(verified.output)\(verified.errors) with seed \(seed)")
            }
            if let note = try? Data(contentsOf: URL(fileURLWithPath: scratch.data + "/ledger.checkpoint")) {
                signed.append(try Checkpoint(text: try SignedNote(Array(note)).text))
            }
        }
        let server = try await LedgerServer(scratch.data, arguments: ["--sweep-after", "2"])
        await load(server.port, requests)
        try #require(requests.isComplete, "with seed \(seed)")
        try await server.waitUntilAllEnded(seconds: 120)
        try await server.stop()
        let recorded = try await LedgerBinary.run("audit", "--type", "requested", "--data", scratch.data)
        let ids = try recorded.lines.map { try JSONValue(Array($0.utf8))["appointmentId"]?.text }
        #expect(ids.count == 1000, "with seed \(seed)")
        #expect(Set(ids) == Set(requests.ids.values.map(Optional.some)), "with seed \(seed)")
        #expect(try await LedgerBinary.run("verify", "--data", scratch.data).status == 0, "with seed \(seed)")
        try await expectOneLog(signed, seed)
    }

    /// All checkpoints that were signed are of the log as it is now.
    private func expectOneLog(_ signed: [Checkpoint], _ seed: UInt64) async throws {
        try #require(!signed.isEmpty, "with seed \(seed)")
        let directory = scratch.path + "/published"
        let published = try await LedgerBinary.run("checkpoint", "publish", "--to", directory, "--data", scratch.data)
        try #require(published.status == 0, "\(published)")
        let note = try SignedNote(Array(try Data(contentsOf: URL(fileURLWithPath: directory + "/checkpoint"))))
        let last = try Checkpoint(text: note.text)
        var (frontier, roots) = (Frontier(), [MerkleTree.emptyRoot])
        for index in 0...(last.size / 256) {
            guard let bundle = TilePath.bundle(index: index, ofSize: last.size) else { continue }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(bundle)"))
            for entry in try EntryBundle.decode(Array(bytes), count: bundle.width) {
                frontier.append(Hash.leaf(of: entry))
                roots.append(frontier.root)
            }
        }
        for checkpoint in signed + [last] {
            try #require(checkpoint.size < roots.count, "with seed \(seed)")
            #expect(checkpoint.root == roots[checkpoint.size], "with seed \(seed)")
            #expect(checkpoint.origin == last.origin, "with seed \(seed)")
        }
    }

    /// Runs a server under load for a while, then kills it.
    private func live(forMilliseconds time: Int, _ requests: Acknowledgements) async throws {
        let run = try RunningLedger(["serve", "--data", scratch.data, "--port", "0", "--sweep-after", "2"])
        let end = ContinuousClock.now + .milliseconds(time)
        var port: Int?
        while port == nil, ContinuousClock.now < end {
            port = run.errors.split(separator: "127.0.0.1:").dropFirst().first.flatMap {
                Int($0.prefix { $0.isNumber })
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        async let loaded: Void = load(port, requests)
        // Half of the lives end in the middle of the load.
        try await Task.sleep(until: max(end, .now + .milliseconds(port == nil ? 0 : time / 2)))
        run.signal(SIGKILL)
        try await run.waitForExit()
        await loaded
    }

    /// Sends requests on four connections until there are none left or the server is gone.
    private func load(_ port: Int?, _ requests: Acknowledgements) async {
        guard let port else { return }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try? await onThread {
                        let client = try RawClient(port: port)
                        while let request = requests.take() {
                            client.send(
                                LedgerServer.request(
                                    insured: request, schedule: request % 500 + 1, key: "request-\(request)"))
                            guard let answer = client.answer(), answer.status == 201,
                                let id = try? answer.text("appointmentId")
                            else { return requests.giveBack(request) }
                            requests.acknowledge(request, id)
                        }
                    }
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a seeded generator for tests that must be repeatable.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

import EventStore
import LogService
import MemoryEngine
import Synchronization
import TestTrees
import Testing
import TransparencyLog

/// A server of a log's resources, as a stranger's program would be.
private final class ServedResources: LogSource {
    private struct State {
        var resources: [String: [UInt8]] = [:]
        var isAway = false
        var asked: [String] = []
    }

    private let state = Mutex(State())

    func serve(_ resources: [String: [UInt8]]) { state.withLock { $0.resources = resources } }
    func change(_ path: String, _ change: (inout [UInt8]) -> Void) {
        state.withLock { change(&$0.resources[path, default: []]) }
    }
    func remove(_ path: String) { state.withLock { $0.resources[path] = nil } }
    func goAway() { state.withLock { $0.isAway = true } }
    /// What was asked for since the last time.
    func asked() -> [String] {
        state.withLock { state in
            defer { state.asked = [] }
            return state.asked
        }
    }

    func read(_ path: String, maximumBytes: Int) async throws(NoAnswer) -> [UInt8]? {
        try state.withLock { state throws(NoAnswer) in
            state.asked.append(path)
            if state.isAway { throw NoAnswer("nobody listens") }
            guard let bytes = state.resources[path] else { return nil }
            guard bytes.count <= maximumBytes else { throw NoAnswer("too large") }
            return bytes
        }
    }
}

@Suite struct MonitorTests {
    private let source = ServedResources()
    private let store = MemoryMonitorStore()
    private let log: WrittenLog

    init() throws { log = try WrittenLog(try WrittenLog.entries(600)) }

    private func monitor(_ policy: TrustPolicy? = nil, isOpaque: Bool = false) -> Monitor {
        Monitor(source, policy: policy ?? TrustPolicy(log: log.key.verifier), store: store, isOpaque: isOpaque)
    }

    private func look(_ log: WrittenLog? = nil, at size: Int, isOpaque: Bool = false) async throws -> Monitor.Sighting {
        source.serve(try (log ?? self.log).resources(ofSize: size))
        return try await monitor(isOpaque: isOpaque).look()
    }

    /// How a look fails; nil when it does not.
    private func failure(_ monitor: Monitor? = nil) async -> MonitorFailure? {
        do throws(MonitorFailure) {
            _ = try await (monitor ?? self.monitor()).look()
            return nil
        } catch {
            return error
        }
    }

    @Test("it follows a log over every edge of a tile, and reads each entry")
    func follows() async throws {
        var before: Int?
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 600] {
            let sighting = try await look(at: size)
            #expect(sighting.change == (before == nil ? .first : .grown))
            #expect(sighting.read == size && sighting.before == before)
            #expect(sighting.checkpoint.checkpoint.size == size)
            before = size
        }
        #expect(try await look(at: 600).change == .same)
        #expect(try await store.state()?.read == 600)
        for tile in 0..<3 {
            let leaves = log.leaves[(256 * tile)..<min(256 * tile + 256, 600)]
            #expect(try await store.leaves(ofTile: tile) == Array(leaves))
        }
    }

    @Test("while the log stands still nothing but its checkpoint is asked for")
    func standsStill() async throws {
        _ = try await look(at: 600)
        #expect(source.asked().count == 8)
        _ = try await look(at: 600)
        #expect(source.asked() == ["checkpoint"])
    }

    @Test("complete tiles are read where the partial ones have gone")
    func partialTilesGone() async throws {
        let whole = try log.resources(ofSize: 512)
        let resources = try log.resources(ofSize: 300).filter { !$0.key.contains(".p/") || $0.key.hasPrefix("tile/1") }
        source.serve(resources.merging(whole) { old, _ in old })
        #expect(try await monitor().look().read == 300)
    }

    @Test("two checkpoints of one size with two roots are a fork, and both notes are the evidence")
    func forkOfOneSize() async throws {
        _ = try await look(at: 300)
        var other = log
        other.entries[299] = try WrittenLog.entry(stream: 77, version: 1, previous: nil, number: 9)
        source.serve(try other.resources(ofSize: 300))
        guard case .forked(let evidence)? = await failure() else { return #expect(Bool(false), "no fork was found") }
        #expect(try evidence.earlier.bytes == log.note(ofSize: 300).bytes)
        #expect(try evidence.later.bytes == other.note(ofSize: 300).bytes)
        let text = String(decoding: evidence.bytes, as: UTF8.self)
        #expect(text.contains(String(decoding: evidence.earlier.bytes, as: UTF8.self)))
        #expect(text.contains(String(decoding: evidence.later.bytes, as: UTF8.self)))
    }

    @Test(
        "a larger log that does not go on from the one before is a fork, and the proof shows it",
        arguments: [1, 256, 299])
    func forkOfGrowth(changed: Int) async throws {
        _ = try await look(at: 300)
        var other = log
        other.entries[changed - 1] = try WrittenLog.entry(stream: 77, version: 1, previous: nil, number: 9)
        source.serve(try other.resources(ofSize: 600))
        guard case .forked(let evidence)? = await failure() else { return #expect(Bool(false), "no fork was found") }
        // The proof leads to the later root, and not from the earlier one.
        let (old, new) = (NaiveTree.root(other.leaves[..<300]), NaiveTree.root(other.leaves[..<600]))
        #expect(TreeProof.connects((300, old), to: (600, new), proof: evidence.proof))
        #expect(try await store.state()?.note == log.note(ofSize: 300).bytes)
        // It is found each time.
        guard case .forked? = await failure() else { return #expect(Bool(false), "the fork was forgotten") }
    }

    @Test("a smaller log that fits is said to be smaller, and one that does not fit is a fork")
    func smaller() async throws {
        _ = try await look(at: 600)
        let sighting = try await look(at: 257)
        #expect(sighting.change == .smaller && sighting.before == 600)
        #expect(try await look(at: 0).change == .smaller)
        var other = log
        other.entries[3] = try WrittenLog.entry(stream: 77, version: 1, previous: nil, number: 9)
        source.serve(try other.resources(ofSize: 257))
        guard case .forked? = await failure() else { return #expect(Bool(false), "no fork was found") }
        #expect(try await look(at: 600).change == .same)
    }

    @Test("a bit that is changed in any tile or bundle is found, and is no fork")
    func tampered() async throws {
        let resources = try log.resources(ofSize: 600)
        for path in resources.keys.sorted() where path != "checkpoint" {
            source.serve(resources)
            source.change(path) { $0[$0.count / 2] ^= 1 }
            let failure = await Self.failure(
                of: Monitor(source, policy: TrustPolicy(log: log.key.verifier), store: MemoryMonitorStore()))
            guard case .damaged? = failure else {
                return #expect(Bool(false), "\(path): \(String(describing: failure))")
            }
        }
    }

    private static func failure(of monitor: Monitor) async -> MonitorFailure? {
        do throws(MonitorFailure) {
            _ = try await monitor.look()
            return nil
        } catch {
            return error
        }
    }

    @Test("a tile that is too short or too long is found, and one that is not there is missing")
    func shapes() async throws {
        source.serve(try log.resources(ofSize: 600))
        source.change("tile/0/000") { $0.removeLast() }
        guard case .damaged? = await failure() else { return #expect(Bool(false), "a short tile was taken") }
        source.serve(try log.resources(ofSize: 600))
        source.change("tile/0/002.p/88") { $0.append(0) }
        guard case .unreachable? = await failure() else { return #expect(Bool(false), "a long tile was taken") }
        for path in ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"] {
            source.serve(try log.resources(ofSize: 600))
            source.remove(path)
            guard case .missing(path)? = await failure() else { return #expect(Bool(false), "\(path) was not missed") }
        }
        source.serve(try log.resources(ofSize: 600))
        #expect(try await monitor().look().read == 600)
    }

    @Test("a checkpoint that is cut, unsigned, by another key or of another log is not trusted")
    func untrusted() async throws {
        let note = try log.note(ofSize: 300)
        let stranger = try WrittenLog(log.entries, origin: "log.example/b")
        let forged = try SignedNote(
            text: try log.note(ofSize: 299).text, signatures: note.signatures)
        let bad = [
            Array(note.bytes.dropLast()), Array(note.bytes.prefix(40)), [], Array(note.text.utf8), forged.bytes,
            try stranger.note(ofSize: 300).bytes,
        ]
        for bytes in bad {
            source.serve(["checkpoint": bytes])
            guard case .untrusted? = await failure() else {
                return #expect(Bool(false), "\(String(decoding: bytes, as: UTF8.self)) was trusted")
            }
        }
        #expect(try await store.state() == nil)
        source.goAway()
        guard case .unreachable? = await failure() else { return #expect(Bool(false), "nobody was there") }
    }

    @Test("a checkpoint without the witnesses that the policy wants is not trusted until they have signed")
    func quorum() async throws {
        let witness = try SigningKey(name: "w", type: .cosignature, seed: Array(repeating: 3, count: 32))
        let policy = try TrustPolicy(
            Array("log \(log.key.verifier)\nwitness w \(witness.verifier)\nquorum w\n".utf8))
        var resources = try log.resources(ofSize: 10)
        source.serve(resources)
        guard case .untrusted(let error)? = await failure(monitor(policy)) else {
            return #expect(Bool(false), "it was trusted")
        }
        #expect(error.kind == .quorumMissed)
        resources["checkpoint"] = try log.note(ofSize: 10, witnesses: [witness]).bytes
        source.serve(resources)
        #expect(try await monitor(policy).look().checkpoint.witnesses.map(\.key.name) == ["w"])
    }

    @Test("another log, or another way to read its entries, is refused where one was followed")
    func mismatch() async throws {
        _ = try await look(at: 300)
        guard case .mismatch? = await failure(monitor(isOpaque: true)) else {
            return #expect(Bool(false), "the way to read was changed")
        }
        let other = try WrittenLog(log.entries, origin: "log.example/b")
        source.serve(try other.resources(ofSize: 300))
        guard case .mismatch? = await failure(monitor(TrustPolicy(log: other.key.verifier))) else {
            return #expect(Bool(false), "the log was changed")
        }
    }

    @Test("entries of something else are followed as bytes, and refused as appointments")
    func opaque() async throws {
        let other = try WrittenLog((0..<300).map { Array("entry \($0)".utf8) } + [[]])
        source.serve(try other.resources(ofSize: 200))
        guard case .damaged? = await failure() else { return #expect(Bool(false), "it was read as appointments") }
        let store = MemoryMonitorStore()
        let monitor = Monitor(source, policy: TrustPolicy(log: log.key.verifier), store: store, isOpaque: true)
        #expect(try await monitor.look().read == 200)
        source.serve(try other.resources(ofSize: 301))
        #expect(try await monitor.look().read == 301)
    }

    @Test("an entry that is not the next version of its stream, or names another one before it, is found")
    func chains() async throws {
        let first = try WrittenLog.entry(stream: 1, version: 1, previous: nil, number: 0)
        let leaf = Hash.leaf(of: first)
        let wrong = [
            try WrittenLog.entry(stream: 1, version: 1, previous: nil, number: 1),
            try WrittenLog.entry(stream: 1, version: 3, previous: leaf, number: 1),
            try WrittenLog.entry(stream: 1, version: 2, previous: Hash(of: [1]), number: 1),
            try WrittenLog.entry(stream: 1, version: 2, previous: nil, number: 1),
            try WrittenLog.entry(stream: 2, version: 2, previous: leaf, number: 1),
        ]
        for entry in wrong {
            source.serve(try WrittenLog([first, entry]).resources(ofSize: 2))
            let monitor = Monitor(
                source, policy: TrustPolicy(log: log.key.verifier), store: MemoryMonitorStore())
            guard case .damaged(let what)? = await failure(monitor) else { return #expect(Bool(false), "it was taken") }
            #expect(what.contains("entry 1 "))
        }
        source.serve(
            try WrittenLog([first, try WrittenLog.entry(stream: 1, version: 2, previous: leaf, number: 1)])
                .resources(ofSize: 2))
        #expect(try await monitor().look().read == 2)
    }
}

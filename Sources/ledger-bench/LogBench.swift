import EventStore
import Projections
import Replay
import SQLiteEngine
import TransparencyLog

/// Measures the tree over the events: by itself, and as SQLite keeps it.
struct LogBench {
    let history: HistoryBench
    let clients: Int

    private var size: Int { history.events / 4 * 4 }

    /// The tree alone, then checkpoints, proofs and heads of a history, and its verification with and without the tree.
    func run() async throws {
        try await tree()
        let file = try await history.fill().file
        let store = SQLiteEventStore(file)
        try await history.measure("log-growth") { while try await !store.growTree(limit: 10_000) {} }
        try await checkpoints(store)
        try await inclusion(store, clients: 1)
        try await inclusion(store, clients: clients)
        try await history.measure("log-heads") {
            guard try await store.heads(ofSize: size).count == size / 4 else { throw BenchError("heads are missing") }
        }
        try await verify(file)
    }

    /// Leaves that a frontier takes in on one core, with the hashes that tiles hold.
    private func tree() async throws {
        let leaves = (0..<1024).map { Hash.leaf(of: Array("entry \($0)".utf8)) }
        var frontier = Frontier()
        var tiles = 0
        try await history.measure("log-tree") {
            for index in 0..<size { frontier.append(leaves[index % leaves.count]) { _ in tiles += 1 } }
        }
        guard frontier.size == size, tiles >= size / 256 else { throw BenchError("the tree lacks leaves") }
    }

    /// What a checkpoint costs next to its signature: the edge, and a proof that it goes on from the last one.
    private func checkpoints(_ store: SQLiteEventStore) async throws {
        let measurement = try await Measurement.run("log-checkpoint", clients: 1, operations: 2000) { [size] index in
            let old = max(size - 1 - index * 37 % size, 1)
            let frontier = try await store.frontier()
            guard let plan = TreePlan.consistency(from: old, to: frontier.size) else { throw Self.wrong }
            let proof = try plan.hashes(from: try await store.hashes(plan.reads))
            let roots = try await store.hashes(TreePlan.root(ofSize: old).reads)
            guard let root = try TreePlan.root(ofSize: old).hashes(from: roots).first,
                TreeProof.connects((old, root), to: (frontier.size, frontier.root), proof: proof)
            else { throw Self.wrong }
        }
        measurement.report()
    }

    /// Inclusion proofs of events that chance chooses, as they are handed out.
    private func inclusion(_ store: SQLiteEventStore, clients: Int) async throws {
        let root = try await store.frontier().root
        let measurement = try await Measurement.run(
            "log-inclusion", clients: clients, operations: 20_000
        ) { [size] _ in
            let index = Int.random(in: 0..<size)
            guard let plan = TreePlan.inclusion(of: index, inSize: size) else { throw Self.wrong }
            _ = try plan.hashes(from: try await store.hashes(plan.reads))
        }
        measurement.report()
        for index in [0, size / 2, size - 1] {
            guard let plan = TreePlan.inclusion(of: index, inSize: size),
                let leaf = try await store.hashes([HashRange(level: 0, start: index, count: 1)])[0].first,
                TreeProof.includes(
                    leaf, index: index, size: size, root: root,
                    proof: try plan.hashes(from: try await store.hashes(plan.reads)))
            else { throw Self.wrong }
        }
    }

    /// The chain without the tree and with it, in turns.
    private func verify(_ file: SQLiteFile) async throws {
        let store = SQLiteEventStore(file)
        for _ in 1...3 {
            for (name, parts) in [("verify-chain", [Finding.Part.chain]), ("verify-log", [.chain, .log])] {
                try await history.measure(name) {
                    let verify = Verify(
                        feed: store, scan: store, store: store, views: SQLiteAppointmentView(file), tree: store,
                        people: nil, parts: Set(parts))
                    guard try await verify.run().isClean else { throw BenchError("the ledger does not verify") }
                }
            }
        }
    }

    private static let wrong = BenchError("a proof does not hold")
}

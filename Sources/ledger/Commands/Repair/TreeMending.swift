import EventStore
import Replay
import TransparencyLog

/// The part of `ledger repair` that concerns the tree over the events: says what it will do, asks, does it.
struct TreeMending {
    /// How many events are taken in together: whoever appends waits meanwhile.
    private static let step = 10_000

    let ledger: Ledger
    let isDry: Bool
    let consent: ConsentOptions
    let options: SharedOptions
    let shell: Shell

    /// Whether the tree is what the events make, in the end.
    func run() async throws -> Bool {
        guard let tree = ledger.tree else {
            throw Refusal("on AWS the mirror's tree is the log: `ledger repair --mirror` mends it")
        }
        let found = try await verify()
        if found.isClean {
            shell.tell("there is nothing to mend in the tree")
            return true
        }
        try options.print(found.findings, in: shell)
        guard found.findings.count == found.findingCount, found.findings.allSatisfy({ $0.kind.isOfTree }) else {
            shell.tell("the events themselves do not verify, so the tree stays as it is: compare them with a backup")
            return false
        }
        let what = "the tree will be made anew from \(found.head) events"
        if isDry {
            shell.tell(what)
            return true
        }
        try consent.ask(what, in: shell)
        try await tree.forgetTree()
        let progress = shell.progress()
        while try await !tree.growTree(limit: Self.step) {
            let edge = try await tree.edge()
            progress.show(edge.frontier?.size ?? 0, of: edge.head)
        }
        progress.clear()
        let left = try await verify()
        shell.tell(left.isClean ? "the tree is what the events make" : "\(left.findingCount) findings are left")
        return left.isClean
    }

    private func verify() async throws -> VerifyReport {
        let progress = shell.progress()
        defer { progress.clear() }
        return try await ledger.verify([.chain, .log], progress: progress).run()
    }
}

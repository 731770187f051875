import EventStore
import PostgresEngine
import Projections
import Replay

/// A mirror, the ledger that it is to belong to, and how far they are the same.
struct MirrorOwnership {
    let ledger: Ledger
    let mirror: Mirror
    let feed: any EventFeed
    let state: MirrorState
    let past: CommonPast

    /// - Throws: a refusal when there is no mirror, or it is another ledger's.
    init(_ options: SharedOptions, _ shell: Shell) async throws {
        ledger = try await options.open(in: shell)
        mirror = try ledger.requireMirror()
        let identity = ledger.identity
        try await mirror.checkSchema()
        state = try await mirror.worker.state()
        if let owner = state.owner, owner.id != identity.id,
            let problem = MirrorStanding.otherLedger(owner).problem(state, of: identity)
        {
            throw Refusal(problem)
        }
        feed = try await ledger.order(of: mirror)
        let progress = shell.progress()
        past = try await CommonPast.find(mirror.worker, feed) { progress.show($0, of: $1) }
        progress.clear()
    }

    /// What was compared.
    var comparison: String {
        let owner = state.owner.map { "that of ledger \($0)" } ?? "no ledger's yet"
        return """
            the mirror is \(owner); its \(past.mirror) entries and the ledger's \(past.ledger) events are the same up \
            to position \(past.position)
            """
    }

    /// Who goes on with it.
    var goesOn: String {
        !ledger.isEmbedded
            ? "`ledger mirror backfill` takes in the rest, and what follows the change stream goes on"
            : "`ledger mirror run` goes on from there"
    }

    var moved: Refusal {
        Refusal("something moved the mirror meanwhile: stop `ledger mirror run` and `serve --mirror`, then try again")
    }
}

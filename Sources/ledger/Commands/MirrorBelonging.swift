import ArgumentParser
import EventStore
import Handlers
import PostgresEngine
import Projections
import Replay

/// `ledger mirror adopt`: has a mirror belong to this ledger and its epoch.
struct MirrorAdopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Takes over a mirror that belongs to none or to another epoch, if all that it holds is the ledger's.",
        discussion: """
            Compares every entry of the mirror with the event at its position, says how far they are the same, and \
            asks. A mirror of another ledger is refused: it stays that one's. One that holds what the ledger does not \
            needs `ledger mirror rewind`.

            EXAMPLES
              ledger mirror adopt --dry-run
              ledger mirror adopt --yes
            """)

    @Flag(help: "Compare and say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let work = try await MirrorOwnership(options)
        let identity = work.ledger.identity
        guard work.past.isWhole else {
            throw Refusal(
                """
                \(work.comparison); an entry behind that is none of the ledger's: look with `ledger mirror rewind \
                --dry-run`
                """)
        }
        if work.state.owner == identity { return report("ledger: the mirror is this ledger's already") }
        let what = "\(work.comparison); the mirror will be that of ledger \(identity)"
        if dryRun { return report("ledger: \(what)") }
        try consent.ask(what)
        guard try await work.mirror.worker.claim(for: identity, expecting: work.state) else {
            throw work.moved
        }
        report("ledger: the mirror belongs to ledger \(identity); \(work.goesOn)")
    }
}

/// `ledger mirror rewind`: moves out of a mirror what the ledger does not have since it was put back.
struct MirrorRewind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rewind",
        abstract: "Moves out of the mirror what the ledger no longer has, since it was put back to an older copy.",
        discussion: """
            Compares every entry of the mirror with the event at its position. What stands behind the last one that is \
            the same is moved into the table ledger.set_aside, with its epoch: nothing is lost. Then the mirror \
            follows the ledger again. Only a member of ledger_owner may; look with --dry-run first.

            EXAMPLES
              ledger mirror rewind --dry-run
              ledger mirror rewind --yes
            """)

    @Flag(help: "Compare and say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let work = try await MirrorOwnership(options)
        // Else it is another ledger's, whatever it says of itself.
        if work.past.position == 0, work.past.mirror > 0, work.state.owner == nil {
            throw Refusal("\(work.comparison): it is another ledger's, and stays as it is")
        }
        if work.past.isWhole, work.state.checkpoint <= work.past.ledger {
            return report("ledger: \(work.comparison); there is nothing to move out: `ledger mirror adopt` is enough")
        }
        let count = work.past.mirror - work.past.position
        let what = """
            \(work.comparison); \(count) entries behind that will be moved to ledger.set_aside, and the mirror will be \
            that of ledger \(work.ledger.identity)
            """
        if dryRun { return report("ledger: \(what)") }
        try consent.ask(what)
        let moved = try await work.mirror.worker.rewind(
            to: work.past.position, for: work.ledger.identity, expecting: work.state)
        guard let moved else { throw work.moved }
        // Rows of appointments that lost events are made again of those that are left.
        var outcome = MirrorRepair.Outcome()
        try await MirrorRepair(
            feed: work.feed, scan: work.ledger.store, mirror: work.mirror.worker, people: work.ledger.people
        ).mendRows(isDry: false, &outcome)
        report("ledger: \(moved) entries were set aside; \(work.goesOn)")
    }
}

/// A mirror, the ledger that it is to belong to, and how far they are the same.
private struct MirrorOwnership {
    let ledger: OpenLedger
    let mirror: Mirror
    let feed: any EventFeed
    let state: MirrorState
    let past: CommonPast

    /// - Throws: a refusal when there is no mirror, or it is another ledger's.
    init(_ options: SharedOptions) async throws {
        ledger = try await options.open()
        mirror = try ledger.requireMirror()
        let identity = ledger.identity
        try await mirror.checkSchema()
        state = try await mirror.worker.state()
        if let owner = state.owner, owner.id != identity.id,
            let problem = MirrorStanding.otherLedger(owner).problem(state, of: identity)
        {
            throw Refusal(problem)
        }
        feed = try await ledger.order(mirror)
        let progress = Progress()
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
        ledger.embedded == nil
            ? "`ledger mirror backfill` takes in the rest, and what follows the change stream goes on"
            : "`ledger mirror run` goes on from there"
    }

    var moved: Refusal {
        Refusal("something moved the mirror meanwhile: stop `ledger mirror run` and `serve --mirror`, then try again")
    }
}

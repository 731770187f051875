import ArgumentParser
import Handlers
import PostgresEngine
import Projections
import Replay

/// `ledger mirror rewind`: moves out of a mirror what the ledger does not have since it was put back.
struct RewindMirror: Verb {
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

    func run(in shell: Shell) async throws {
        let work = try await MirrorOwnership(options, shell)
        // Else it is another ledger's, whatever it says of itself.
        if work.past.position == 0, work.past.mirror > 0, work.state.owner == nil {
            throw Refusal("\(work.comparison): it is another ledger's, and stays as it is")
        }
        if work.past.isWhole, work.state.checkpoint <= work.past.ledger {
            return shell.tell("\(work.comparison); there is nothing to move out: `ledger mirror adopt` is enough")
        }
        let count = work.past.mirror - work.past.position
        let what = """
            \(work.comparison); \(count) entries behind that will be moved to ledger.set_aside, and the mirror will be \
            that of ledger \(work.ledger.identity)
            """
        if dryRun { return shell.tell("\(what)") }
        try consent.ask(what, in: shell)
        let moved = try await work.mirror.worker.rewind(
            to: work.past.position, for: work.ledger.identity, expecting: work.state)
        guard let moved else { throw work.moved }
        // Rows of appointments that lost events are made again of those that are left.
        var outcome = MirrorRepair.Outcome()
        try await MirrorRepair(
            feed: work.feed, scan: work.ledger.store, mirror: work.mirror.worker, people: work.ledger.people
        ).mendRows(isDry: false, &outcome)
        shell.tell("\(moved) entries were set aside; \(work.goesOn)")
    }
}

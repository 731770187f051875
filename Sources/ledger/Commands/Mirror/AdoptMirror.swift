import ArgumentParser
import PostgresEngine
import Projections
import Replay

/// `ledger mirror adopt`: has a mirror belong to this ledger and its epoch.
struct AdoptMirror: Verb {
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

    func run(in shell: Shell) async throws {
        let work = try await MirrorOwnership(options, shell)
        let identity = work.ledger.identity
        guard work.past.isWhole else {
            throw Refusal(
                """
                \(work.comparison); an entry behind that is none of the ledger's: look with `ledger mirror rewind \
                --dry-run`
                """)
        }
        if work.state.owner == identity { return shell.tell("the mirror is this ledger's already") }
        let what = "\(work.comparison); the mirror will be that of ledger \(identity)"
        if dryRun { return shell.tell("\(what)") }
        try consent.ask(what, in: shell)
        guard try await work.mirror.worker.claim(for: identity, expecting: work.state) else {
            throw work.moved
        }
        shell.tell("the mirror belongs to ledger \(identity); \(work.goesOn)")
    }
}

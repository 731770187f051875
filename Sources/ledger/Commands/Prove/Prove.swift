import ArgumentParser

/// `ledger prove`: proofs that anybody can check without this ledger.
struct ProveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Proves an event, a history, or that the log only grew, against the last checkpoint.",
        discussion: """
            A proof is a file that `ledger verify-proof` checks on any machine, without this ledger and without a \
            network. It holds no personal data.

            EXAMPLES
              ledger prove event 01a20eb6-7f19-7b9d-981d-8314088a3df2 --version 2 -o event.proof
              ledger prove history 01a20eb6-7f19-7b9d-981d-8314088a3df2 -o history.json
              ledger prove consistency --from 1000 -o growth.proof
            """,
        subcommands: [ProveEvent.self, ProveHistory.self, ProveConsistency.self])
}

import ArgumentParser

/// `ledger witness`: signs the checkpoints of other people's logs.
struct WitnessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Signs the checkpoints of logs, as long as each log only grows.",
        discussion: """
            A witness remembers the last checkpoint of each log that it knows, and signs the next one only if it goes \
            on from that. Run it on another machine than the ledger, by somebody else: then nobody can put the ledger \
            back to an older copy, or show it in two versions, without being noticed.

            EXAMPLES
              ledger witness key --name witness.example.org/w1 -o witness.key
              ledger witness serve --policy logs.txt --key witness.key --data ./witness
            """,
        subcommands: [ServeWitness.self, CreateWitnessKey.self])
}

import ArgumentParser

/// `ledger mirror`: the copy in PostgreSQL that auditors query.
struct MirrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mirror", abstract: "Keeps, shows and fills the ledger's mirror in PostgreSQL.",
        discussion: """
            The mirror is the database that RDS_URL_LEDGER names, or RDS_HOST_LEDGER and its companions. Make its \
            tables first, with `ledger migrate up`.

            EXAMPLES
              ledger mirror run
              ledger mirror status
              ledger mirror backfill
              ledger mirror adopt --dry-run
              ledger mirror rewind --dry-run
            """,
        subcommands: [RunMirror.self, ShowMirror.self, BackfillMirror.self, AdoptMirror.self, RewindMirror.self])
}

import ArgumentParser

/// `ledger migrate`: the schemas of the PostgreSQL databases.
struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Brings the PostgreSQL databases up to this program.",
        discussion: """
            The databases are those that RDS_URL, or RDS_HOST and its companions, name for the countries (also with \
            their codes, as in RDS_URL_PE) and with _LEDGER for the mirror.

            EXAMPLES
              RDS_URL=postgresql://admin@/clinic?host=/run/postgresql ledger migrate status
              RDS_URL_LEDGER=postgresql://admin@/ledger?host=/run/postgresql ledger migrate up
            """,
        subcommands: [MigrateUp.self, ShowMigrations.self])
}

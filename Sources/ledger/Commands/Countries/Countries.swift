import ArgumentParser

/// `ledger countries`: the countries' databases in PostgreSQL, and whose they are.
struct CountriesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "countries",
        abstract: "Shows which ledger the countries' databases in PostgreSQL belong to, and takes one over.",
        discussion: """
            A country's database belongs to the ledger that claims slots there, and to an epoch of it: a ledger that \
            was put back to an older copy begins a new one. Until somebody has said that both fit together, nothing is \
            claimed or given back, and requests wait.

            EXAMPLES
              ledger countries status
              ledger countries adopt --country PE --dry-run
            """,
        subcommands: [ShowCountries.self, AdoptCountries.self])
}

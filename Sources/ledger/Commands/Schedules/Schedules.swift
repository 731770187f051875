import ArgumentParser

/// `ledger schedules`: the countries' slots.
struct SchedulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "Imports, lists and exports the countries' slots.",
        discussion: """
            EXAMPLES
              ledger schedules import slots.csv
              ledger schedules list --country PE
            """,
        subcommands: [ImportSchedules.self, ListSchedules.self, ExportSchedules.self])
}

import Appointments
import ArgumentParser

/// `ledger schedules export`.
struct ExportSchedules: Verb {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes all slots with their holders, as CSV unless --format says otherwise.",
        discussion: """
            EXAMPLE
              ledger schedules export > slots.csv
            """)

    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let printer = options.printer(ScheduleRow.columns, in: shell, otherwise: .csv)
        try await ledger.printSlots(of: country, onlyAvailable: false, with: printer)
    }
}

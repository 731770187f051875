import Appointments
import ArgumentParser

/// `ledger schedules list`.
struct ListSchedules: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the slots and who holds them.",
        discussion: """
            EXAMPLES
              ledger schedules list --country CL
              ledger schedules list --available
            """)

    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @Flag(help: "Only slots that nobody holds.") var available = false
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        try await ledger.printSlots(
            of: country, onlyAvailable: available, with: options.printer(ScheduleRow.columns, in: shell))
    }
}

import Appointments
import ArgumentParser
import Replay

/// `ledger state`: what an appointment is, or was.
struct StateCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Shows an appointment as its events make it, now or at a time in the past.",
        discussion: """
            EXAMPLES
              ledger state 01a20eb6-7f19-7b9d-981d-8314088a3df2
              ledger state 01a20eb6-7f19-7b9d-981d-8314088a3df2 --version 2
              ledger state 01a20eb6-7f19-7b9d-981d-8314088a3df2 --at-position 5000
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @OptionGroup var moment: MomentOptions
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let history = try await History.find(id, in: try await options.open(in: shell), shell)
        guard let row = try history.state(at: moment.moment) else { throw history.refusal(at: moment.moment) }
        let columns = [
            "appointmentId", "insuredId", "countryISO", "status", "createdAt", "updatedAt", "schedule.scheduleId",
            "schedule.date", "failure.reason", "version",
        ]
        try options.print([ShownAppointment(row: row, person: person.display)], columns: columns, in: shell)
    }
}

import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Projections
import Replay

/// `ledger history`: the events of one appointment.
struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Shows every event of one appointment, in order, with its hashes.",
        discussion: """
            EXAMPLES
              ledger history 01a20eb6-7f19-7b9d-981d-8314088a3df2
              ledger history 01a20eb6-7f19-7b9d-981d-8314088a3df2 --as-of 2026-11-24T12:00:00Z --format json
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @OptionGroup var moment: MomentOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let history = try await History.find(id, in: try await options.open())
        var printer = options.printer(["version", "position", "type", "at", "actor", "leaf", "previous", "data"])
        let items = history.items(until: moment.moment)
        if items.isEmpty { throw history.refusal(at: moment.moment) }
        for item in items { try printer.row { $0.historyItem(item) } }
        try printer.finish()
    }
}

/// `ledger state`: what an appointment is, or was.
struct StateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state",
        abstract: "Shows an appointment as its events make it, now or at a time in the past.",
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

    func run() async throws {
        let history = try await History.find(id, in: try await options.open())
        guard let row = try history.state(at: moment.moment) else { throw history.refusal(at: moment.moment) }
        var printer = options.printer([
            "appointmentId", "insuredId", "countryISO", "status", "createdAt", "updatedAt", "schedule.scheduleId",
            "schedule.date", "failure.reason", "version",
        ])
        try printer.row { $0.appointment(row, showing: person.display) }
        try printer.finish()
    }
}

extension History {
    /// The history of an appointment.
    ///
    /// - Throws: a refusal when there is no such appointment.
    static func find(_ id: AppointmentID, in ledger: OpenLedger) async throws -> History {
        try await ledger.mirror?.checkForReading(ledger.store)
        let insured = try await ledger.views.row(id)?.insured
        guard let history = try await History.read(id, from: ledger.log, insured: insured) else {
            throw Refusal("there is no appointment \(id): `ledger audit` lists what there is")
        }
        try await ledger.trail.record(
            AccessRecord(to: id, by: Operator.name, rows: history.events.count, at: System.now()))
        return history
    }

    /// Why there is nothing to show of a moment.
    func refusal(at moment: Moment) -> Refusal {
        if case .position(let position) = moment {
            return Refusal(
                "appointment \(appointment) had no event at position \(position): `ledger history` shows where it began"
            )
        }
        if case .version(let version) = moment {
            let last = events.last?.version ?? 0
            return Refusal("appointment \(appointment) has no version \(version): it stands at version \(last)")
        }
        return Refusal(
            "appointment \(appointment) had no event then: `ledger history \(appointment)` shows when it began")
    }
}

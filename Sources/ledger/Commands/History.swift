import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Projections
import Replay

/// `ledger history`: the events of one appointment.
struct HistoryCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Shows every event of one appointment, in order, with its hashes.",
        discussion: """
            EXAMPLES
              ledger history 01a20eb6-7f19-7b9d-981d-8314088a3df2
              ledger history 01a20eb6-7f19-7b9d-981d-8314088a3df2 --as-of 2026-11-24T12:00:00Z --format json
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @OptionGroup var moment: MomentOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let history = try await History.find(id, in: try await options.open(in: shell), shell)
        let items = history.items(until: moment.moment)
        if items.isEmpty { throw history.refusal(at: moment.moment) }
        try options.print(items, in: shell)
    }
}

extension HistoryItem: Row {
    static let columns = ["version", "position", "type", "at", "actor", "leaf", "previous", "data"]

    func write(to writer: inout JSONWriter) { writer.historyItem(self) }
}

extension History {
    /// The history of an appointment.
    ///
    /// - Throws: a refusal when there is no such appointment.
    static func find(_ id: AppointmentID, in ledger: Ledger, _ shell: Shell) async throws -> History {
        try await ledger.checkMirrorForReading(shell)
        let insured = try await ledger.views.row(id)?.insured
        guard let history = try await History.read(id, from: ledger.log, insured: insured) else {
            throw Refusal("there is no appointment \(id): `ledger audit` lists what there is")
        }
        try await ledger.trail.record(
            AccessRecord(to: id, by: shell.operatorName, rows: history.events.count, at: System.now()))
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

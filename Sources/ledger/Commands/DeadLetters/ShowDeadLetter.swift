import Appointments
import ArgumentParser
import EventStore
import Handlers
import Projections
import Replay

/// `ledger dlq show`.
struct ShowDeadLetter: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows a dead letter or a parked event, and the appointment behind it as the ledger has it now.",
        discussion: """
            In the message each run of five digits or more is shown as ***23, since it may be a person's number; \
            --show-insured shows it as it is.

            EXAMPLES
              ledger dlq show 17 --format json
              ledger dlq show 01a20eb6-7f19-7b9d-981d-8314088a3df2@3
            """)

    @Argument(help: "The id, as `list` shows it.") var id: String
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if let place = ParkedPlace(id) {
            return try options.print(try await parked(at: place, in: ledger), in: shell)
        }
        let letter = try await ledger.letter(id)
        var row: AppointmentRow?
        if let appointment = letter.appointment {
            let insured = try await ledger.views.row(appointment)?.insured
            let history = try await History.read(appointment, from: ledger.store, insured: insured)
            row = try history?.state(at: .latest)
        }
        try options.print([OpenedLetter(letter: letter, row: row, person: person)], in: shell)
    }

    /// A parked event, read again by today's program, once for each who parks it.
    private func parked(at place: ParkedPlace, in ledger: Ledger) async throws -> [OpenedEvent] {
        let parked = try await ledger.parked(at: place)
        let stored = try await ledger.store.read(place.appointment.stream, from: place.version).first
        var problem: String?
        do throws(EventStoreError) {
            if let stored { _ = try Codec.decode(stored.entry) }
        } catch {
            problem = error.message
        }
        return parked.map { consumer, event in
            OpenedEvent(letter: ParkedLetter(consumer: consumer, event: event), stored: stored, problem: problem)
        }
    }
}

/// A dead letter with its body and its appointment.
private struct OpenedLetter: Row {
    static let columns = [
        "id", "queue", "receives", "at", "reason", "appointmentId", "appointment.status", "appointment.version",
    ]

    let letter: DeadLetter
    let row: AppointmentRow?
    let person: PersonOptions

    func write(to writer: inout JSONWriter) {
        writer.object {
            letter.write(membersTo: &$0)
            let body = String(decoding: letter.body, as: UTF8.self)
            // It may be anybody's: whoever sends to the queue chooses what is in it.
            $0.member("body", person.showInsured ? body : PersonNumbers.masked(body))
            $0.key("appointment")
            if let row { $0.appointment(row, showing: person.display) } else { $0.null() }
        }
    }
}

/// A parked event with what is stored.
private struct OpenedEvent: Row {
    static let columns = ["id", "queue", "at", "reason", "readable", "problem", "event.type", "event.position"]

    let letter: ParkedLetter
    let stored: RecordedEvent?
    let problem: String?

    func write(to writer: inout JSONWriter) {
        writer.object {
            letter.write(membersTo: &$0)
            $0.member("readable") { $0.boolean(stored != nil && problem == nil) }
            $0.member("problem", problem)
            $0.key("event")
            if let stored { $0.historyItem(HistoryItem(stored)) } else { $0.null() }
        }
    }
}

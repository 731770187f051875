import Appointments
import ArgumentParser
import Projections
import Replay

/// `ledger why`: where a row comes from.
struct WhyCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Shows which event made each field of an appointment's row, and under which projection.",
        discussion: """
            EXAMPLES
              ledger why 01a20eb6-7f19-7b9d-981d-8314088a3df2
              ledger why 01a20eb6-7f19-7b9d-981d-8314088a3df2 --version 2
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @OptionGroup var moment: MomentOptions
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let history = try await History.find(id, in: try await options.open(in: shell), shell)
        let events = history.recorded(until: moment.moment)
        if events.isEmpty { throw history.refusal(at: moment.moment) }
        let explanation = try Explanation(
            History(id, events: events, insured: history.insured), showing: person.display)
        try options.print(
            explanation.fields.map { ExplainedField(field: $0, projection: explanation.projection) }, in: shell)
    }
}

/// A field of a row, and the event that made it.
private struct ExplainedField: FieldRow {
    static let fields: Fields = [
        "field": { $0.field.name }, "value": { $0.field.value }, "version": { $0.field.event?.version },
        "position": { $0.field.event?.position }, "type": { $0.field.event?.type }, "at": { $0.field.event?.at },
        "actor": { $0.field.event?.actor }, "projection": { $0.projection.description },
    ]

    let field: Explanation.Field
    let projection: ConsumerName
}

import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Replay

/// `ledger diff`: what changed between two moments.
struct DiffCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Shows which appointments changed between two positions or times, field by field.",
        discussion: """
            Each changed field is printed with the event that made it what it is.

            EXAMPLES
              ledger diff --from 1000 --to 2000
              ledger diff --from 2026-11-24T00:00:00Z --to 2026-11-25T00:00:00Z --format json
              ledger diff --from 1000
            """)

    @Option(help: "A position or a time (RFC 3339): what was there then.", transform: Reading.positionOrTime)
    var from: Moment
    @Option(help: "A position or a time; without it now.", transform: Reading.positionOrTime) var to: Moment?
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    /// - Throws: a refusal when `to` is before `from`: there is nothing between them.
    private func requireOrder(_ to: Moment, _ ledger: Ledger) async throws {
        let isOrdered: Bool
        switch (from, to) {
        case (.position(let from), .position(let to)): isOrdered = from <= to
        case (.time(let from), .time(let to)): isOrdered = from <= to
        case (.position(let from), .time(let to)):
            isOrdered = try await time(of: from, ledger).map { $0 <= to } ?? true
        case (.time(let from), .position(let to)):
            isOrdered = try await time(of: to, ledger).map { from <= $0 } ?? true
        default: isOrdered = true
        }
        if !isOrdered { throw Refusal("--to is before --from, or --from behind the last event: nothing is between") }
    }

    private func time(of position: Int, _ ledger: Ledger) async throws -> Timestamp? {
        guard position > 0 else { return nil }
        return try await ledger.numbered.events(after: position - 1, limit: 1).first?.entry.at
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let end = try await ledger.numbered.head()
        try await requireOrder(to ?? .position(end), ledger)
        let diff = LedgerDiff(log: ledger.numbered, store: ledger.numbered, views: ledger.views)
        var printer = options.printer(ChangedField.columns, in: shell)
        let (until, display) = (to ?? .position(end), person.display)
        func record(_ rows: Int) async throws {
            try await ledger.trail.record(
                AccessRecord(toChanges: from, until, by: shell.operatorName, rows: rows, at: System.now()))
        }
        var isRecorded = false
        try await diff.each(from: from, to: until, showing: display) { changes in
            try await record(changes.count)
            isRecorded = true
            for change in changes {
                for field in change.fields(showing: display) {
                    try printer.print(ChangedField(change: change, field: field))
                }
            }
        }
        if !isRecorded { try await record(0) }
        try printer.finish()
    }
}

/// A field that changed, and the event that made it what it is.
private struct ChangedField: FieldRow {
    static let fields: Fields = [
        "change": { $0.change.old == nil ? "new" : $0.change.new == nil ? "gone" : "changed" },
        "appointmentId": { $0.change.appointment.description }, "field": { $0.field.name }, "old": { $0.field.old },
        "new": { $0.field.new }, "version": { $0.event?.version }, "position": { $0.event?.position },
        "type": { $0.event?.type }, "actor": { $0.event?.actor },
    ]
    static let hidden: Set = ["version"]

    let change: LedgerDiff.Change
    let field: FieldChange

    private var event: HistoryItem? { change.explanation?.event(of: field.name) }
}

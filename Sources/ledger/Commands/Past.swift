import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Projections
import Replay

/// `ledger audit view`: a list as it is, or as it was.
struct ViewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "view",
        abstract: "Shows one of the lists, newest first, now or as it was.",
        discussion: """
            The list is made of the events up to then: an appointment that was pending then is in the list of the \
            pending ones, whatever it is today.

            EXAMPLES
              ledger audit view status --status pending --as-of 2026-11-24T12:00:00Z
              ledger audit view country --country CL --at-position 5000
              ledger audit view insured --insured 00123 --as-of 2026-11-24T12:00:00Z
            """)

    /// The lists, by what they are ordered under.
    enum List: String, CaseIterable, ExpressibleByArgument { case insured, status, country }

    @Argument(help: "insured, status or country.") var list: List
    @Option(
        help: "The insured person of the list; - reads the id from standard input.", transform: Reading.insured)
    var insured: InsuredID?
    @Option(help: "Only this status.", transform: Reading.status) var status: AppointmentStatus?
    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @Option(help: "As it was at this time (RFC 3339).", transform: Reading.moment) var asOf: Timestamp?
    @Option(help: "As it was when the log had this position.") var atPosition: Int?
    @Option(help: "At most so many; without it all.") var limit: Int?
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if asOf != nil, atPosition != nil { throw ValidationError("take --as-of or --at-position, not both") }
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more") }
        if let atPosition, atPosition < 0 { throw ValidationError("--at-position is 0 or more") }
        switch list {
        case .insured: if insured == nil { throw ValidationError("name the person with --insured") }
        case .status: if status == nil { throw ValidationError("name the status with --status") }
        case .country: if country == nil { throw ValidationError("name the country with --country") }
        }
    }

    func run() async throws {
        let ledger = try await options.open()
        let moment = asOf.map(Moment.time) ?? atPosition.map(Moment.position) ?? .latest
        let past = PastViews(
            views: ledger.views, store: ledger.numbered,
            events: PastEvents(log: ledger.numbered, people: ledger.people, progress: ledger.progress), at: moment)
        let filter = RowFilter(insured: insured, status: status, country: country)
        var printer = options.printer([
            "appointmentId", "insuredId", "countryISO", "status", "createdAt", "updatedAt", "schedule.scheduleId",
            "failure.reason", "version",
        ])
        var place: RowPlace?
        var left = limit ?? .max
        repeat {
            let page = try await past.page(filter, after: place, limit: min(left, 1000))
            try await ledger.trail.record(
                AccessRecord(
                    to: list.rawValue, filter, at: moment, by: Operator.name, rows: page.rows.count, at: System.now()))
            for row in page.rows { try printer.row { $0.appointment(row, showing: person.display) } }
            left -= page.rows.count
            place = page.next
        } while place != nil && left > 0
        try printer.finish()
    }
}

/// `ledger diff`: what changed between two moments.
struct DiffCommand: AsyncParsableCommand {
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
    private func requireOrder(_ to: Moment, _ ledger: OpenLedger) async throws {
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

    private func time(of position: Int, _ ledger: OpenLedger) async throws -> Timestamp? {
        guard position > 0 else { return nil }
        return try await ledger.numbered.events(after: position - 1, limit: 1).first?.entry.at
    }

    func run() async throws {
        let ledger = try await options.open()
        let end = try await ledger.numbered.head()
        try await requireOrder(to ?? .position(end), ledger)
        let diff = LedgerDiff(log: ledger.numbered, store: ledger.numbered, views: ledger.views)
        var printer = options.printer([
            "change", "appointmentId", "field", "old", "new", "position", "type", "actor",
        ])
        let (until, display) = (to ?? .position(end), person.display)
        func record(_ rows: Int) async throws {
            try await ledger.trail.record(
                AccessRecord(toChanges: from, until, by: Operator.name, rows: rows, at: System.now()))
        }
        var isRecorded = false
        try await diff.each(from: from, to: until, showing: display) { changes in
            try await record(changes.count)
            isRecorded = true
            for change in changes { try Self.show(change, display, &printer) }
        }
        if !isRecorded { try await record(0) }
        try printer.finish()
    }

    private static func show(
        _ change: LedgerDiff.Change, _ display: PersonDisplay, _ printer: inout Printer
    ) throws {
        for field in change.fields(showing: display) {
            let event = change.explanation?.event(of: field.name)
            try printer.row { writer in
                writer.object {
                    $0.member("change", change.old == nil ? "new" : change.new == nil ? "gone" : "changed")
                    $0.member("appointmentId", change.appointment.description)
                    $0.member("field", field.name)
                    $0.member("old", field.old)
                    $0.member("new", field.new)
                    $0.member("version", event?.version)
                    $0.member("position", event?.position)
                    $0.member("type", event?.type)
                    $0.member("actor", event?.actor)
                }
            }
        }
    }
}

/// `ledger why`: where a row comes from.
struct WhyCommand: AsyncParsableCommand {
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

    func run() async throws {
        let history = try await History.find(id, in: try await options.open())
        let events = history.recorded(until: moment.moment)
        if events.isEmpty { throw history.refusal(at: moment.moment) }
        let explanation = try Explanation(
            History(id, events: events, insured: history.insured), showing: person.display)
        var printer = options.printer([
            "field", "value", "version", "position", "type", "at", "actor", "projection",
        ])
        for field in explanation.fields {
            try printer.row { writer in
                writer.object {
                    $0.member("field", field.name)
                    $0.member("value", field.value)
                    $0.member("version", field.event?.version)
                    $0.member("position", field.event?.position)
                    $0.member("type", field.event?.type)
                    $0.member("at", field.event?.at)
                    $0.member("actor", field.event?.actor)
                    $0.member("projection", explanation.projection.description)
                }
            }
        }
        try printer.finish()
    }
}

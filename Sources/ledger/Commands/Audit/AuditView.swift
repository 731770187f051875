import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Projections
import Replay

/// `ledger audit view`: a list as it is, or as it was.
struct AuditView: Verb {
    static let configuration = CommandConfiguration(
        commandName: "view", abstract: "Shows one of the lists, newest first, now or as it was.",
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

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let moment = asOf.map(Moment.time) ?? atPosition.map(Moment.position) ?? .latest
        let past = PastViews(
            views: ledger.views, store: ledger.numbered,
            events: PastEvents(log: ledger.numbered, people: ledger.people, progress: ledger.progress), at: moment)
        let filter = RowFilter(insured: insured, status: status, country: country)
        var printer = options.printer(ShownAppointment.columns, in: shell)
        var place: RowPlace?
        var left = limit ?? .max
        repeat {
            let page = try await past.page(filter, after: place, limit: min(left, 1000))
            try await ledger.trail.record(
                AccessRecord(
                    to: list.rawValue, filter, at: moment, by: shell.operatorName, rows: page.rows.count,
                    at: System.now()))
            for row in page.rows { try printer.print(ShownAppointment(row: row, person: person.display)) }
            left -= page.rows.count
            place = page.next
        } while place != nil && left > 0
        try printer.finish()
    }
}

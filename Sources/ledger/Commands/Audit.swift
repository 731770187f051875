import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Replay

/// `ledger audit`: the events of all appointments, a list as it was, or who looked. It has no options of its own: the
/// parser would take them from those of `view`, which have the same names.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows the events of all appointments that match, a list as it was, or who looked at them.",
        discussion: """
            Without a word behind it, it is `ledger audit events`; see `ledger audit events --help` for the filters.

            EXAMPLES
              ledger audit --country PE --type failed --from 2026-11-24T00:00:00Z
              ledger audit --insured 00123 --format csv
              ledger audit --follow --insured - < id.txt
              ledger audit --follow
              ledger audit view status --status pending --as-of 2026-11-24T12:00:00Z
              ledger audit access --from 2026-11-24T00:00:00Z
            """,
        subcommands: [EventsCommand.self, ViewCommand.self, AccessCommand.self], defaultSubcommand: EventsCommand.self)
}

/// `ledger audit events`: the events of all appointments.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Shows the events of all appointments that match, in the order of the log.",
        discussion: """
            EXAMPLES
              ledger audit events --country PE --type failed --from 2026-11-24T00:00:00Z
              ledger audit --actor key:front-desk --limit 50
            """)

    @OptionGroup var wanted: EventOptions
    @Option(help: "Only up to this time, itself included.", transform: Reading.moment) var to: Timestamp?
    @Option(help: "At most so many; without it all.") var limit: Int?
    @Flag(help: "Go on as new events come, until interrupted.") var follow = false
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if let from = wanted.from, let to, from > to { throw ValidationError("--from is later than --to") }
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more") }
    }

    func run() async throws {
        let ledger = try await options.openForAuditor()
        var query = wanted.query
        query.filter.to = to
        var printer = options.printer([
            "position", "at", "type", "appointmentId", "version", "countryISO", "insuredId", "actor", "correlation",
            "leaf",
        ])
        var left = limit ?? .max
        while left > 0 {
            query.limit = min(left, AuditQuery.maximumLimit)
            let head = follow ? try await ledger.numbered.head() : 0
            let page = try await query.page(of: ledger.log, views: ledger.views)
            // An empty page means that nothing came yet, unless the position is none that the log has had.
            if page.isBeyondEnd, let problem = try await ledger.beyond(query.after) { report("ledger: \(problem)") }
            // One that follows looks four times a second: what it saw nothing in is not worth a record.
            if !follow || !page.items.isEmpty {
                try await ledger.trail.record(
                    AccessRecord(query, by: Operator.name, rows: page.items.count, at: System.now()))
            }
            for item in page.items {
                try printer.row { $0.auditItem(item, showing: person.display, includesEntry: false) }
            }
            left -= page.items.count
            if let last = page.items.last?.event.position { query.after = last }
            if page.next != nil { continue }
            if !follow { break }
            // What stands up to the head was looked at, and is not read again four times a second. A person's
            // appointments are known from the view, which may lag the head.
            if wanted.insured == nil { query.after = max(query.after, head) }
            try printer.flush()
            try StandardOutput.requireReader()
            try await Task.sleep(for: .milliseconds(250))
        }
        try printer.finish()
    }
}

/// Which events are wanted.
struct EventOptions: ParsableArguments {
    @Option(help: "Only this kind of event.", transform: Reading.eventType) var type: EventType?
    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @Option(
        help: "Only this insured person's appointments; - reads the id from standard input.",
        transform: Reading.insured)
    var insured: InsuredID?
    @Option(help: "Only this appointment.", transform: Reading.appointment) var appointment: AppointmentID?
    @Option(help: "Only what one request led to.") var correlation: String?
    @Option(help: "Only what this actor caused, such as key:front-desk.") var actor: String?
    @Option(help: "Only from this time on (RFC 3339).", transform: Reading.moment) var from: Timestamp?
    @Option(help: "Only behind this position.") var after = 0

    func validate() throws {
        if after < 0 { throw ValidationError("--after is 0 or more") }
    }

    /// The question that the options ask.
    var query: AuditQuery {
        var query = AuditQuery(
            EventFilter(
                type: type?.rawValue, country: country?.code, actor: actor, correlation: correlation, from: from))
        (query.appointment, query.insured, query.after) = (appointment, insured, after)
        return query
    }
}

import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import Replay

/// `ledger audit events`: the events of all appointments.
struct AuditEvents: Verb {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Shows the events of all appointments that match, in the order of the log.",
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

    func run(in shell: Shell) async throws {
        let ledger = try await options.openForAuditor(in: shell)
        var query = wanted.query
        query.filter.to = to
        var printer = options.printer(AuditedEvent.columns, in: shell)
        var left = limit ?? .max
        while left > 0 {
            query.limit = min(left, AuditQuery.maximumLimit)
            let head = follow ? try await ledger.numbered.head() : 0
            let page = try await query.page(of: ledger.log, views: ledger.views)
            // An empty page means that nothing came yet, unless the position is none that the log has had.
            if page.isBeyondEnd, let problem = try await ledger.beyond(query.after) { shell.tell(problem) }
            // One that follows looks four times a second: what it saw nothing in is not worth a record.
            if !follow || !page.items.isEmpty {
                try await ledger.trail.record(
                    AccessRecord(query, by: shell.operatorName, rows: page.items.count, at: System.now()))
            }
            for item in page.items { try printer.print(AuditedEvent(item: item, person: person.display)) }
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

/// An event for an auditor.
private struct AuditedEvent: Row {
    static let columns = [
        "position", "at", "type", "appointmentId", "version", "countryISO", "insuredId", "actor", "correlation", "leaf",
    ]

    let item: AuditItem
    let person: PersonDisplay

    func write(to writer: inout JSONWriter) { writer.auditItem(item, showing: person, includesEntry: false) }
}

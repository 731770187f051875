import API
import ArgumentParser
import EventStore
import HostSystem

/// `ledger audit access`: who looked at the events.
struct AuditAccesses: Verb {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Shows who looked at the events, when, what for and how many were shown; the newest first.",
        discussion: """
            Where there is a mirror, its record and that of the ledger's own file are shown together: accesses are \
            recorded in the file while the mirror is away. Insured persons are masked in what was asked for, and can't \
            be unmasked. Looking here is an access too, and is recorded.

            EXAMPLES
              ledger audit access
              ledger audit access --actor key:auditor --from 2026-11-24T00:00:00Z
              ledger audit access --limit 10000 --format csv
            """)

    /// The most accesses that are shown together.
    private static let maximumLimit = 10_000

    @Option(help: "Only what this caller saw, such as key:auditor or operator:ana.") var actor: String?
    @Option(help: "Only from this time on (RFC 3339).", transform: Reading.moment) var from: Timestamp?
    @Option(help: "Only up to this time, itself included.", transform: Reading.moment) var to: Timestamp?
    @Option(help: "At most so many, 1 to 10000.") var limit = 100
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if let from, let to, from > to { throw ValidationError("--from is later than --to") }
        if !(1...Self.maximumLimit).contains(limit) {
            throw ValidationError("--limit is 1 to \(Self.maximumLimit): narrow the rest down by --from and --to")
        }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.openForAuditor(in: shell)
        let filter = AccessFilter(caller: actor, from: from, to: to)
        let accesses = try await ledger.trail.accesses(matching: filter, limit: limit)
        try await ledger.trail.record(
            AccessRecord(toAccesses: filter, by: shell.operatorName, rows: accesses.count, at: System.now()))
        try options.print(accesses, in: shell)
    }
}

extension AccessRecord: Row {
    static let columns = ["at", "caller", "rows", "filters"]

    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("at", at)
            $0.member("caller", caller)
            $0.member("rows", rows)
            $0.member("filters") { $0.raw(filters) }
        }
    }
}

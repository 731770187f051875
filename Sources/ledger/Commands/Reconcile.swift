import Appointments
import ArgumentParser
import EventStore
import PostgresEngine
import Projections
import Replay

/// `ledger reconcile`: store, views and mirror side by side.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Compares the store with views and mirror by a digest for each appointment, shows what differs.",
        discussion: """
            For each appointment that differs: the fields, what the events make and what the copy holds, and the event \
            behind it. Where a mirror is configured, its entries (`mirror`) and its rows (`mirror-views`) are compared \
            too; what it has not read yet is counted, and is no difference. Who holds a slot by the database of a \
            country (`country-pe`) is compared both ways, field `slot`. The digest at the end covers all \
            appointments: two ledgers with the same one hold the same. Exit code 0: all agree; 2: they do not; 3: a \
            country's database did not answer.

            EXAMPLES
              ledger reconcile
              ledger reconcile --only mirror
              ledger reconcile --only countries
              ledger reconcile --format json
            """)

    /// What the store is compared with.
    enum Side: String, CaseIterable, ExpressibleByArgument { case views, mirror, countries }

    @Option(help: "Compare with this alone; with all there is unless given.") var only: Side?
    @OptionGroup var claims: ClaimOptions
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let ledger = try await options.open()
        let progress = Progress()
        let reconcile = Reconcile(
            scan: ledger.store, copies: try await copies(of: ledger), people: ledger.people)
        let all = try await ledger.views.count(RowFilter())
        var found: [Reconcile.Difference] = []
        let result = try await reconcile.run { difference in
            if found.count < 1000 { found.append(difference) }
        } progress: {
            progress.show($0, of: max(all, $0), "appointments")
        }
        progress.clear()
        var printer = options.printer([
            "copy", "kind", "appointmentId", "field", "store", "held", "position", "type",
        ])
        for difference in found { try await show(difference, ledger, &printer) }
        var compared = ClaimCheck.Report()
        if only == nil || only == .countries {
            compared = try await ledger.compareClaims(claims, isAsked: only == .countries)
            for finding in compared.report.findings { try printer.row { show(finding, &$0) } }
        }
        try printer.finish()
        report("ledger: \(result.appointments) appointments, digest \(result.digest)")
        if result.behind > 0 { report("ledger: the mirror has not read \(result.behind) of them to the end yet") }
        let differences = result.differences + compared.report.findingCount
        guard differences == 0 else {
            report("ledger: \(differences) differ; `ledger repair --dry-run` shows what can be mended")
            throw ExitCode(2)
        }
        if !compared.away.isEmpty { throw ExitCode(3) }
    }

    private func show(_ finding: Finding, _ writer: inout JSONWriter) {
        writer.object {
            $0.member("copy", (finding.slot?.country.code).map { "country-\($0.lowercased())" })
            $0.member("kind", finding.kind.rawValue)
            $0.member("appointmentId", finding.stream?.appointment.description)
            $0.member("field", "slot")
            $0.member("store", (finding.slot?.booked?.number).map(String.init))
            $0.member("held", (finding.slot?.held?.number).map(String.init))
            $0.member("otherAppointmentId", finding.slot?.other?.description)
        }
    }

    private func copies(of ledger: OpenLedger) async throws -> [Reconcile.Copy] {
        var copies: [Reconcile.Copy] = []
        if only == nil || only == .views { copies.append(Reconcile.Copy("views", ledger.rows)) }
        guard only == .mirror || only == nil && ledger.mirror != nil else { return copies }
        try await ledger.requireMirror().requireOurLedger(ledger.store)
        let mirror = try ledger.requireMirror().worker
        // Before anything is compared: what it reads from here on may be in the comparison or not.
        let reached = try await mirror.state().checkpoint
        return copies + [
            Reconcile.Copy("mirror", FoldedRows(mirror, ledger.people), reached: reached),
            Reconcile.Copy("mirror-views", mirror, reached: reached),
        ]
    }

    private func show(
        _ difference: Reconcile.Difference, _ ledger: OpenLedger, _ printer: inout Printer
    ) async throws {
        let history = try await History.read(
            difference.appointment, from: ledger.store, insured: difference.store?.insured)
        let explanation = try history.map { try Explanation($0, showing: person.display) }
        let kind = difference.held == nil ? "missing" : difference.store == nil ? "unexplained" : "differs"
        let changes = AppointmentRow.changes(
            from: difference.held, to: difference.store, showing: person.display)
        for change in changes {
            let event = explanation?.event(of: change.name)
            try printer.row { writer in
                writer.object {
                    $0.member("copy", difference.copy)
                    $0.member("kind", kind)
                    $0.member("appointmentId", difference.appointment.description)
                    $0.member("storeDigest", difference.store?.digest)
                    $0.member("heldDigest", difference.held?.digest)
                    $0.member("field", change.name)
                    $0.member("store", change.new)
                    $0.member("held", change.old)
                    $0.member("position", event?.position)
                    $0.member("type", event?.type)
                }
            }
        }
    }
}

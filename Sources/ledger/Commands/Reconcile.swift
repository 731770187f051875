import Appointments
import ArgumentParser
import PostgresEngine
import Projections
import Replay

/// `ledger reconcile`: store, views and mirror side by side.
struct ReconcileCommand: Verb {
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

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let progress = shell.progress()
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
        var printer = options.printer(DifferingField.columns, in: shell)
        for difference in found {
            for field in try await fields(of: difference, ledger) { try printer.print(field) }
        }
        var compared = ClaimCheck.Report()
        if only == nil || only == .countries {
            compared = try await ledger.compareClaims(claims, isAsked: only == .countries, shell)
            for finding in compared.report.findings { try printer.print(DifferingClaim(finding: finding)) }
        }
        try printer.finish()
        shell.tell("\(result.appointments) appointments, digest \(result.digest)")
        if result.behind > 0 { shell.tell("the mirror has not read \(result.behind) of them to the end yet") }
        let differences = result.differences + compared.report.findingCount
        guard differences == 0 else {
            shell.tell("\(differences) differ; `ledger repair --dry-run` shows what can be mended")
            throw ExitCode(2)
        }
        if !compared.away.isEmpty { throw ExitCode(3) }
    }

    private func copies(of ledger: Ledger) async throws -> [Reconcile.Copy] {
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

    private func fields(of difference: Reconcile.Difference, _ ledger: Ledger) async throws -> [DifferingField] {
        let history = try await History.read(
            difference.appointment, from: ledger.store, insured: difference.store?.insured)
        let explanation = try history.map { try Explanation($0, showing: person.display) }
        let changes = AppointmentRow.changes(
            from: difference.held, to: difference.store, showing: person.display)
        return changes.map { change in
            DifferingField(difference: difference, change: change, event: explanation?.event(of: change.name))
        }
    }
}

/// A field that a copy holds otherwise than the events make it.
private struct DifferingField: FieldRow {
    static let fields: Fields = [
        "copy": { $0.difference.copy }, "kind": { $0.kind },
        "appointmentId": { $0.difference.appointment.description }, "storeDigest": { $0.difference.store?.digest },
        "heldDigest": { $0.difference.held?.digest }, "field": { $0.change.name }, "store": { $0.change.new },
        "held": { $0.change.old }, "position": { $0.event?.position }, "type": { $0.event?.type },
    ]
    static let hidden: Set = ["storeDigest", "heldDigest"]

    let difference: Reconcile.Difference
    let change: FieldChange
    let event: HistoryItem?

    private var kind: String {
        difference.held == nil ? "missing" : difference.store == nil ? "unexplained" : "differs"
    }
}

/// A slot that a country's database holds otherwise than the events say.
private struct DifferingClaim: FieldRow {
    static let fields: Fields = [
        "copy": { ($0.finding.slot?.country.code).map { "country-\($0.lowercased())" } },
        "kind": { $0.finding.kind.rawValue }, "appointmentId": { $0.finding.stream?.appointment.description },
        "field": { _ in "slot" }, "store": { ($0.finding.slot?.booked?.number).map(String.init) },
        "held": { ($0.finding.slot?.held?.number).map(String.init) },
        "otherAppointmentId": { $0.finding.slot?.other?.description },
    ]

    let finding: Finding
}

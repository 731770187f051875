import Appointments
import ArgumentParser
import EventStore
import Machine
import PostgresEngine
import Projections
import Replay

/// `ledger repair`: mends what is derived.
struct RepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Mends view rows and the mirror: makes of them again what the events say.",
        discussion: """
            Verifies first and prints what it will do about each finding; then it asks on a terminal, and needs --yes \
            elsewhere. Events are never touched: what is wrong with them is shown as `none`, and only a backup helps. \
            Without --views, --mirror or --backfill both are mended, the mirror where one is configured. What was \
            changed in the mirror can be replaced by a member of ledger_owner only; --backfill replaces nothing.

            EXAMPLES
              ledger repair --dry-run
              ledger repair --backfill --yes
              ledger repair --yes
            """)

    @Flag(help: "Mend view rows.") var views = false
    @Flag(help: "Mend the mirror: its entries and its rows.") var mirror = false
    @Flag(help: "Only take in what the mirror lacks, at the positions where it belongs.") var backfill = false
    @Flag(help: "Say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let ledger = try await options.open()
        let isAll = !views && !mirror && !backfill
        var isWhole = true
        if views || isAll { isWhole = try await mendViews(of: ledger) }
        if mirror || backfill || isAll && ledger.mirror != nil {
            try await MirrorMending(
                ledger: ledger, mirror: try ledger.requireMirror(), fillsOnly: backfill && !mirror, isDry: dryRun,
                consent: consent, options: options
            ).run()
        }
        if !isWhole { throw ExitCode(2) }
    }

    /// Whether nothing is left that it can't mend.
    private func mendViews(of ledger: OpenLedger) async throws -> Bool {
        let repair = Repair(
            feed: ledger.feed, store: ledger.store, checkpoints: ledger.views, control: ledger.views,
            sets: ledger.viewSets, people: ledger.people)
        let progress = Progress()
        let found = try await ledger.verify(progress: progress).run()
        progress.clear()
        let plan = try await repair.plan(for: found)
        try show(plan)
        let others = plan.count(.none)
        if plan.isEmpty {
            report(
                "ledger: there is nothing to mend in the views"
                    + (others > 0 ? "; \(others) findings concern events" : ""))
            return others == 0
        }
        let what = """
            \(plan.count(.refold)) rows will be folded again, \(plan.count(.remove)) taken away, \
            \(plan.count(.setBack)) checkpoints set back, and \(plan.behind) events taken in
            """
        if dryRun {
            report("ledger: \(what)")
            return others == 0
        }
        try consent.ask(what)
        let (mended, failures) = try await repair.carryOut(plan, now: Machine.now())
        for (appointment, reason) in failures { report("ledger: \(appointment) can't be folded: \(reason)") }
        let left = try await ledger.verify(progress: progress).run()
        progress.clear()
        let more =
            left.findings.contains { finding in
                finding.kind.isOfRows
                    && (finding.stream != nil || finding.key != nil || finding.kind == .checkpointAhead)
            } && failures.isEmpty
        report("ledger: \(mended) mended; \(left.findingCount) findings are left; `ledger verify` shows them")
        if more { report("ledger: there were more than one run takes on: give the command again") }
        return left.isClean
    }

    private func show(_ plan: Repair.Plan) throws {
        var printer = options.printer(["action", "kind", "appointmentId", "version", "position", "message"])
        for step in plan.steps {
            try printer.row { writer in
                writer.object {
                    $0.member("action", step.action.rawValue)
                    $0.member("kind", step.finding.kind.rawValue)
                    $0.member("appointmentId", step.finding.stream?.appointment.description)
                    $0.member("version", step.finding.version)
                    $0.member("position", step.finding.position)
                    $0.member("message", step.finding.message)
                }
            }
        }
        try printer.finish()
    }
}

/// `ledger reconcile`: store, views and mirror side by side.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Compares the store with views and mirror by a digest for each appointment, shows what differs.",
        discussion: """
            For each appointment that differs: the fields, what the events make and what the copy holds, and the event \
            behind it. Where a mirror is configured, its entries (`mirror`) and its rows (`mirror-views`) are compared \
            too; what it has not read yet is counted, and is no difference. The digest at the end covers all \
            appointments: two ledgers with the same one hold the same. Exit code 0: all agree; 2: they do not.

            EXAMPLES
              ledger reconcile
              ledger reconcile --only mirror
              ledger reconcile --format json
            """)

    /// What the store is compared with.
    enum Side: String, CaseIterable, ExpressibleByArgument { case views, mirror }

    @Option(help: "Compare with this alone; with all there is unless given.") var only: Side?
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
        try printer.finish()
        report("ledger: \(result.appointments) appointments, digest \(result.digest)")
        if result.behind > 0 { report("ledger: the mirror has not read \(result.behind) of them to the end yet") }
        guard result.differences == 0 else {
            report("ledger: \(result.differences) differ; `ledger repair --dry-run` shows what can be mended")
            throw ExitCode(2)
        }
    }

    private func copies(of ledger: OpenLedger) async throws -> [Reconcile.Copy] {
        var copies: [Reconcile.Copy] = []
        if only != .mirror { copies.append(Reconcile.Copy("views", ledger.rows)) }
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

import Appointments
import ArgumentParser
import EventStore
import HostSystem
import PostgresEngine
import Replay

/// `ledger repair`: mends what is derived.
struct RepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Mends view rows, mirror and claims: makes of them again what the events say.",
        discussion: """
            Verifies first and prints what it will do about each finding; then it asks on a terminal, and needs --yes \
            elsewhere. Events are never touched: what is wrong with them is shown as `none`, and only a backup helps. \
            Without --views, --mirror, --backfill or --countries all are mended, the mirror where one is configured. \
            What was changed in the mirror can be replaced by a member of ledger_owner only; --backfill replaces \
            nothing. --countries gives back slots that no appointment of this ledger holds, and puts the claim of a \
            booked one back where its slot is free; the rest is shown with the history of both appointments.

            EXAMPLES
              ledger repair --dry-run
              ledger repair --backfill --yes
              ledger repair --countries --dry-run
              ledger repair --yes
            """)

    @Flag(help: "Mend view rows.") var views = false
    @Flag(help: "Mend the mirror: its entries and its rows.") var mirror = false
    @Flag(help: "Only take in what the mirror lacks, at the positions where it belongs.") var backfill = false
    @Flag(help: "Give back slots that nobody holds, and put missing claims back.") var countries = false
    @OptionGroup var claims: ClaimOptions
    @Flag(help: "Say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run() async throws {
        let ledger = try await options.open()
        let isAll = !views && !mirror && !backfill && !countries
        var isWhole = true
        if views || isAll { isWhole = try await mendViews(of: ledger) }
        if mirror || backfill || isAll && ledger.mirror != nil {
            try await MirrorMending(
                ledger: ledger, mirror: try ledger.requireMirror(), fillsOnly: backfill && !mirror, isDry: dryRun,
                consent: consent, options: options
            ).run()
        }
        var isKnown = true
        if countries || isAll {
            let outcome = try await ClaimMending(
                ledger: ledger, isAsked: countries, isDry: dryRun, claims: claims, consent: consent, options: options
            ).run()
            (isWhole, isKnown) = (isWhole && outcome.isWhole, outcome.isKnown)
        }
        if !isWhole { throw ExitCode(2) }
        if !isKnown { throw ExitCode(3) }
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
        let (mended, failures) = try await repair.carryOut(plan, now: System.now())
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

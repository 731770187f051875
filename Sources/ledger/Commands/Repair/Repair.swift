import Appointments
import ArgumentParser
import HostSystem
import Replay

/// `ledger repair`: mends what is derived.
struct RepairCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Mends view rows, mirror and claims: makes of them again what the events say.",
        discussion: """
            Verifies first and prints what it will do about each finding; then it asks on a terminal, and needs --yes \
            elsewhere. Events are never touched: what is wrong with them is shown as `none`, and only a backup helps. \
            Without --views, --mirror, --backfill or --countries all of these are mended, the mirror where one is \
            configured. --log makes the tree over the events anew where it is not what they make, if all of them \
            verify: look first, in a backup or the mirror, whether it is the events that were changed. \
            What was changed in the mirror can be replaced by a member of ledger_owner only; --backfill replaces \
            nothing. --countries gives back slots that no appointment of this ledger holds, and puts the claim of a \
            booked one back where its slot is free; the rest is shown with the history of both appointments.

            EXAMPLES
              ledger repair --dry-run
              ledger repair --backfill --yes
              ledger repair --countries --dry-run
              ledger repair --log --dry-run
              ledger repair --yes
            """)

    @Flag(help: "Mend view rows.") var views = false
    @Flag(help: "Mend the mirror: its entries and its rows.") var mirror = false
    @Flag(help: "Only take in what the mirror lacks, at the positions where it belongs.") var backfill = false
    @Flag(help: "Give back slots that nobody holds, and put missing claims back.") var countries = false
    @Flag(help: "Make the tree over the events anew where it is not what they make.") var log = false
    @OptionGroup var claims: ClaimOptions
    @Flag(help: "Say what would be done, change nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let isAll = !views && !mirror && !backfill && !countries && !log
        var isWhole = true
        if log {
            isWhole = try await TreeMending(
                ledger: ledger, isDry: dryRun, consent: consent, options: options, shell: shell
            ).run()
        }
        if views || isAll { isWhole = try await mendViews(of: ledger, shell) && isWhole }
        if mirror || backfill || isAll && ledger.mirror != nil {
            try await MirrorMending(
                ledger: ledger, mirror: try ledger.requireMirror(), fillsOnly: backfill && !mirror, isDry: dryRun,
                consent: consent, options: options, shell: shell
            ).run()
        }
        var isKnown = true
        if countries || isAll {
            let outcome = try await ClaimMending(
                ledger: ledger, isAsked: countries, isDry: dryRun, claims: claims, consent: consent, options: options,
                shell: shell
            ).run()
            (isWhole, isKnown) = (isWhole && outcome.isWhole, outcome.isKnown)
        }
        if !isWhole { throw ExitCode(2) }
        if !isKnown { throw ExitCode(3) }
    }

    /// Whether nothing is left that it can't mend.
    private func mendViews(of ledger: Ledger, _ shell: Shell) async throws -> Bool {
        let repair = Repair(
            feed: ledger.feed, store: ledger.store, checkpoints: ledger.views, control: ledger.views,
            sets: ledger.viewSets, people: ledger.people)
        let progress = shell.progress()
        let found = try await ledger.verify(progress: progress).run()
        progress.clear()
        let plan = try await repair.plan(for: found)
        try options.print(plan.steps, in: shell)
        let others = plan.count(.none)
        if plan.isEmpty {
            shell.tell(
                "there is nothing to mend in the views"
                    + (others > 0 ? "; \(others) findings concern events or their tree" : ""))
            return others == 0
        }
        let what = """
            \(plan.count(.refold)) rows will be folded again, \(plan.count(.remove)) taken away, \
            \(plan.count(.setBack)) checkpoints set back, and \(plan.behind) events taken in
            """
        if dryRun {
            shell.tell("\(what)")
            return others == 0
        }
        try consent.ask(what, in: shell)
        let (mended, failures) = try await repair.carryOut(plan, now: System.now())
        for (appointment, reason) in failures { shell.tell("\(appointment) can't be folded: \(reason)") }
        let left = try await ledger.verify(progress: progress).run()
        progress.clear()
        let more =
            left.findings.contains { finding in
                finding.kind.isOfRows
                    && (finding.stream != nil || finding.key != nil || finding.kind == .checkpointAhead)
            } && failures.isEmpty
        shell.tell("\(mended) mended; \(left.findingCount) findings are left; `ledger verify` shows them")
        if more { shell.tell("there were more than one run takes on: give the command again") }
        return left.isClean
    }
}

extension Repair.Step: FieldRow {
    static let fields: Fields = [
        "action": { $0.action.rawValue }, "kind": { $0.finding.kind.rawValue },
        "appointmentId": { $0.finding.stream?.appointment.description }, "version": { $0.finding.version },
        "position": { $0.finding.position }, "message": { $0.finding.message },
    ]
}

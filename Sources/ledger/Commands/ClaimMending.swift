import Appointments
import EventStore
import Replay

/// The part of `ledger repair` that concerns the countries' databases: says what it will do, asks, does it.
struct ClaimMending {
    let ledger: OpenLedger
    /// Whether this was asked for, and not everything.
    let isAsked: Bool
    let isDry: Bool
    let claims: ClaimOptions
    let consent: ConsentOptions
    let options: SharedOptions

    /// - Returns: whether nothing is left that it can't mend, and whether every database answered.
    func run() async throws -> (isWhole: Bool, isKnown: Bool) {
        let found = try await ledger.compareClaims(claims, isAsked: isAsked)
        let isKnown = found.away.isEmpty
        let repair = ClaimRepair(ledger.claimCheck(claims, progress: Progress()))
        let steps = try await repair.plan(for: found)
        try show(steps)
        let others = steps.count { $0.action == .none }
        let (given, put) = (steps.count { $0.action == .giveBack }, steps.count { $0.action == .putBack })
        if given + put == 0 {
            report(
                "ledger: there is nothing to mend in the countries' claims"
                    + (others > 0 ? "; \(others) findings are for somebody to decide" : ""))
            return (others == 0, isKnown)
        }
        let what = "\(given) slots will be given back, and \(put) claims put back"
        if isDry {
            report("ledger: \(what)")
            return (others == 0, isKnown)
        }
        try consent.ask(what)
        let (mended, left) = try await repair.carryOut(steps)
        for finding in left {
            report(
                "ledger: the claim of \(finding.stream?.appointment.description ?? "an appointment") was not put back: "
                    + "its slot has moved, or its person has another one at that time")
        }
        let after = try await ledger.compareClaims(claims, isAsked: isAsked)
        report(
            "ledger: \(mended) mended; \(after.report.findingCount) findings are left; `ledger verify --countries` "
                + "shows them")
        return (after.report.isClean, after.away.isEmpty)
    }

    private func show(_ steps: [ClaimRepair.Step]) throws {
        var printer = options.printer([
            "action", "kind", "countryISO", "appointmentId", "message", "history", "otherHistory",
        ])
        for step in steps {
            try printer.row { writer in
                writer.object {
                    $0.member("action", step.action.rawValue)
                    $0.member("kind", step.finding.kind.rawValue)
                    $0.member("countryISO", step.finding.slot?.country.code)
                    $0.member("appointmentId", step.finding.stream?.appointment.description)
                    $0.member("scheduleId", step.finding.slot?.held?.number ?? step.finding.slot?.booked?.number)
                    $0.member("message", step.finding.message)
                    $0.member("history", step.history)
                    $0.member("otherHistory", step.otherHistory)
                }
            }
        }
        try printer.finish()
    }
}

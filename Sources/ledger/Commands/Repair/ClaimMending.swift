import Appointments
import Replay

/// The part of `ledger repair` that concerns the countries' databases: says what it will do, asks, does it.
struct ClaimMending {
    let ledger: Ledger
    /// Whether this was asked for, and not everything.
    let isAsked: Bool
    let isDry: Bool
    let claims: ClaimOptions
    let consent: ConsentOptions
    let options: SharedOptions
    let shell: Shell

    /// - Returns: whether nothing is left that it can't mend, and whether every database answered.
    func run() async throws -> (isWhole: Bool, isKnown: Bool) {
        let found = try await ledger.compareClaims(claims, isAsked: isAsked, shell)
        let isKnown = found.away.isEmpty
        let repair = ClaimRepair(ledger.claimCheck(claims, progress: shell.progress()))
        let steps = try await repair.plan(for: found)
        try options.print(steps, in: shell)
        let others = steps.count { $0.action == .none }
        let (given, put) = (steps.count { $0.action == .giveBack }, steps.count { $0.action == .putBack })
        if given + put == 0 {
            shell.tell(
                "there is nothing to mend in the countries' claims"
                    + (others > 0 ? "; \(others) findings are for somebody to decide" : ""))
            return (others == 0, isKnown)
        }
        let what = "\(given) slots will be given back, and \(put) claims put back"
        if isDry {
            shell.tell("\(what)")
            return (others == 0, isKnown)
        }
        try consent.ask(what, in: shell)
        let (mended, left) = try await repair.carryOut(steps)
        for finding in left {
            shell.tell(
                "the claim of \(finding.stream?.appointment.description ?? "an appointment") was not put back: "
                    + "its slot has moved, or its person has another one at that time")
        }
        let after = try await ledger.compareClaims(claims, isAsked: isAsked, shell)
        shell.tell(
            "\(mended) mended; \(after.report.findingCount) findings are left; `ledger verify --countries` "
                + "shows them")
        return (after.report.isClean, after.away.isEmpty)
    }
}

extension ClaimRepair.Step: FieldRow {
    static let fields: Fields = [
        "action": { $0.action.rawValue }, "kind": { $0.finding.kind.rawValue },
        "countryISO": { $0.finding.slot?.country.code },
        "appointmentId": { $0.finding.stream?.appointment.description },
        "scheduleId": { ($0.finding.slot?.held ?? $0.finding.slot?.booked)?.number },
        "message": { $0.finding.message }, "history": { $0.history }, "otherHistory": { $0.otherHistory },
    ]
    static let hidden: Set = ["scheduleId"]
}

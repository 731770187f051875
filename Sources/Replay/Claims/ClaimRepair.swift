import Appointments
package import EventStore

/// Brings the claims of the countries' databases in line with the ledger: gives back what nobody holds, and puts back
/// the claim of a booked appointment where its slot is free. The rest is named, with both histories.
package struct ClaimRepair: Sendable {
    private let check: ClaimCheck

    package init(_ check: ClaimCheck) { self.check = check }

    /// What can be done.
    package enum Action: String, Sendable {
        /// The slot is free again.
        case giveBack = "give-back"
        /// The appointment holds its slot again.
        case putBack = "put-back"
        /// Nothing: somebody has to decide.
        case none
    }

    /// What is to be done about one finding.
    package struct Step: Sendable {
        package let action: Action
        package let finding: Finding
        /// What happened to the appointment, and to the other one that is concerned.
        package let history: String?
        package let otherHistory: String?
    }

    /// Works out what to do about what a comparison has found.
    ///
    /// - Throws: `unavailable`.
    package func plan(for report: ClaimCheck.Report) async throws(EventStoreError) -> [Step] {
        var steps: [Step] = []
        for finding in report.report.findings {
            var (action, other) = (Action.none, finding.slot?.other)
            switch finding.kind {
            case .claimUnexplained, .claimOfFailed: action = .giveBack
            case .claimMissing:
                let row = try await row(of: finding)
                let booked = try await booking(of: finding)
                if let row, row.holder == nil, row.slot.date == booked?.date { action = .putBack }
                other = row?.holder
            default: break
            }
            steps.append(
                Step(
                    action: action, finding: finding, history: try await history(finding.stream?.appointment),
                    otherHistory: try await history(other)))
        }
        return steps
    }

    /// Does what a plan says, as far as it is still so.
    ///
    /// - Returns: how many findings were mended, and those that could not be.
    /// - Throws: `unavailable`; what was mended stays mended.
    package func carryOut(_ steps: [Step]) async throws(EventStoreError) -> (mended: Int, left: [Finding]) {
        var (mended, left) = (0, [Finding]())
        for step in steps where step.action != .none {
            guard let appointment = step.finding.stream?.appointment, let country = step.finding.slot?.country,
                let database = check.countries[country]
            else { continue }
            // Whatever has happened since it was shown.
            guard case .differs(let finding) = try await check.look(at: appointment, in: country),
                finding.kind == step.finding.kind
            else { continue }
            var isMended = true
            if step.action == .giveBack {
                try await database.release(appointment, at: check.now())
            } else if let claim = try await booking(of: finding) {
                isMended = try await database.putBack(claim)
            }
            if isMended { mended += 1 } else { left.append(finding) }
        }
        return (mended, left)
    }

    /// The claim that a booked appointment is to have.
    private func booking(of finding: Finding) async throws(EventStoreError) -> StandingClaim? {
        guard let id = finding.stream?.appointment, let loaded = try await check.load(id),
            let slot = loaded.state.bookedSlot, let subject = loaded.subject,
            let event = loaded.events.first(where: { $0.entry.type == EventType.countryProcessed.rawValue })
        else { return nil }
        return StandingClaim(
            appointment: id, schedule: slot.schedule, subject: subject, date: slot.date, claimed: event.entry.at)
    }

    /// The booked slot as the country's database lists it.
    private func row(of finding: Finding) async throws(EventStoreError) -> ScheduleRow? {
        guard let place = finding.slot, let booked = place.booked, let database = check.countries[place.country] else {
            return nil
        }
        let next = try await database.schedules(after: ScheduleID(booked.number - 1), limit: 1).first
        return next?.slot.schedule == booked ? next : nil
    }

    private func history(_ appointment: AppointmentID?) async throws(EventStoreError) -> String? {
        guard let appointment else { return nil }
        let events = try await check.load(appointment)?.events ?? []
        let steps = events.map { "\($0.entry.type) \($0.entry.at)" }
        return "\(appointment): \(steps.isEmpty ? "no event" : steps.joined(separator: ", "))"
    }
}

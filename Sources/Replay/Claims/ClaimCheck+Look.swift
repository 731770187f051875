package import Appointments
package import EventStore
import Projections

/// A closer look at one appointment and its claim.
extension ClaimCheck {
    /// What a closer look has shown.
    package enum Verdict: Equatable, Sendable {
        /// Ledger and database agree.
        case holds
        /// They will agree once what is under way is done.
        case isUnderWay
        case differs(Finding)
    }

    /// Compares one appointment with its claim.
    ///
    /// The events are read before and after the claim, so that neither a booking nor a return in between misleads.
    /// - Throws: `unavailable`; `corrupt` never: what can't be read contradicts nothing here.
    package func look(at appointment: AppointmentID, in country: Country) async throws(EventStoreError) -> Verdict {
        do throws(EventStoreError) {
            let before = try await load(appointment)
            let claim = try await claim(of: appointment, in: country)
            let loaded = try await load(appointment)
            return verdict(before, claim, loaded, appointment, country)
        } catch {
            if error.code == .corrupt { return .holds }
            throw error
        }
    }

    private func claim(
        of appointment: AppointmentID, in country: Country
    ) async throws(EventStoreError) -> StandingClaim? {
        let id = appointment.id
        let before = Identifier(high: id.low == 0 ? id.high &- 1 : id.high, low: id.low &- 1)
        let place = id.high | id.low == 0 ? nil : AppointmentID(before)
        let next = try await countries[country]?.claims(after: place, limit: 1).first
        return next?.appointment == appointment ? next : nil
    }

    private func verdict(
        _ before: LoadedAppointment?, _ claim: StandingClaim?, _ loaded: LoadedAppointment?,
        _ appointment: AppointmentID, _ country: Country
    ) -> Verdict {
        func finding(_ kind: Finding.Kind, booked: ScheduleID? = nil, _ message: String) -> Verdict {
            .differs(
                Finding(
                    kind, stream: appointment.stream, version: loaded?.events.count,
                    slot: .init(country: country, booked: booked, held: claim?.schedule), message: message))
        }
        let place = "slot \(claim?.schedule.number ?? 0) of \(country.code)"
        guard let loaded else {
            return claim == nil
                ? .holds : finding(.claimUnexplained, "\(place) is held by an appointment that nobody asked for")
        }
        if loaded.agrees(with: claim) { return .holds }
        if case .failed = loaded.state.end {
            let failed = loaded.events.last?.entry.at ?? now()
            let age = now().milliseconds - failed.milliseconds
            // A moment that lies ahead, by a clock that was set back, is no reason to wait for it.
            if (0..<patienceMilliseconds).contains(age) { return .isUnderWay }
            return finding(.claimOfFailed, "\(place) is held by an appointment that has failed")
        }
        let own = loaded.state.bookedSlot?.schedule ?? loaded.state.request?.schedule
        guard claim != nil else {
            // Booked since the claim was looked for.
            if before?.state.bookedSlot == nil { return .holds }
            return finding(
                .claimMissing, booked: own,
                "it is booked, and slot \(own?.number ?? 0) of \(country.code) is not held for it")
        }
        return finding(
            .claimDiffers, booked: own,
            "\(place) is held for it otherwise than its events say: slot \(own?.number ?? 0)")
    }
}

extension LoadedAppointment {
    /// Whether a claim is what the events lead to expect; nil for no claim.
    func agrees(with claim: StandingClaim?) -> Bool {
        guard let claim else { return state.bookedSlot == nil }
        if case .failed = state.end { return false }
        guard claim.subject == subject, claim.schedule == (state.bookedSlot?.schedule ?? state.request?.schedule) else {
            return false
        }
        return state.bookedSlot.map { $0.date == claim.date } ?? true
    }
}

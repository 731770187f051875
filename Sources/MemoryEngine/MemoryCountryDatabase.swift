package import Appointments
package import EventStore
import Synchronization

/// The reference for a country's database: its slots and their holders in memory.
package final class MemoryCountryDatabase: CountryDatabase {
    private struct Held {
        let appointment: AppointmentID
        let subject: Identifier
        let claimed: Timestamp
    }

    private struct State {
        var slots: [ScheduleID: Slot] = [:]
        var holders: [ScheduleID: Held] = [:]
        var refused: [AppointmentID: FailureReason] = [:]
    }

    private let country: Country
    private let owners: ScheduleOwners
    private let state = Mutex(State())

    /// - Parameter owners: shared by the databases of one ledger, so that a slot belongs to one country.
    package init(_ country: Country, owners: ScheduleOwners = ScheduleOwners()) {
        (self.country, self.owners) = (country, owners)
    }

    package func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult { claimNow(claim) }

    package func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        releaseNow(appointment)
    }

    package func add(_ slots: [Slot]) async throws(EventStoreError) { try addNow(slots) }

    package func schedules(
        after schedule: ScheduleID?, limit: Int
    ) async throws(EventStoreError) -> [ScheduleRow] {
        schedulesNow(after: schedule, limit: limit)
    }

    package func claims(
        after appointment: AppointmentID?, limit: Int
    ) async throws(EventStoreError) -> [StandingClaim] {
        claimsNow(after: appointment, limit: limit)
    }

    package func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool { putBackNow(claim) }
}

// MARK: - The same without waiting, for the simulator

extension MemoryCountryDatabase {
    /// Claims immediately; the rules are those of `claim`.
    package func claimNow(_ claim: SlotClaim) -> ClaimResult {
        state.withLock { state in
            let result = claim.decide(
                refused: state.refused[claim.appointment],
                on: state.slots[claim.schedule], heldBy: state.holders[claim.schedule]?.appointment,
                others: state.holders.filter { $0.value.subject == claim.subject }.compactMap { state.slots[$0.key] })
            switch result {
            case .held:
                state.holders[claim.schedule] = Held(
                    appointment: claim.appointment, subject: claim.subject, claimed: claim.now)
            case .refused(let reason): state.refused[claim.appointment] = reason
            }
            return result
        }
    }

    /// Gives back immediately; the rules are those of `release`.
    package func releaseNow(_ appointment: AppointmentID) {
        state.withLock { state in
            state.holders = state.holders.filter { $0.value.appointment != appointment }
            if state.refused[appointment] == nil { state.refused[appointment] = .processingExhausted }
        }
    }

    /// Adds immediately; the rules are those of `add`.
    package func addNow(_ slots: [Slot]) throws(EventStoreError) {
        try state.withLock { (state) throws(EventStoreError) in
            var agenda = Agenda()
            for (schedule, owner) in owners.all { agenda.give(schedule, to: owner) }
            for slot in state.slots.values { agenda.list(slot, of: country) }
            for schedule in state.holders.keys { agenda.hold(schedule) }
            let changes = try agenda.changes(adding: slots.map { (country, $0) })
            try owners.take(changes.map(\.slot.schedule), for: country)
            for change in changes { state.slots[change.slot.schedule] = change.slot }
        }
    }

    /// Lists immediately; the rules are those of `schedules`.
    package func schedulesNow(after schedule: ScheduleID? = nil, limit: Int = .max) -> [ScheduleRow] {
        state.withLock { state in
            state.slots.values.filter { slot in schedule.map { slot.schedule > $0 } ?? true }
                .sorted { $0.schedule < $1.schedule }.prefix(max(limit, 0)).map { slot in
                    ScheduleRow(slot: slot, country: country, holder: state.holders[slot.schedule]?.appointment)
                }
        }
    }

    /// Gives the claims immediately; the rules are those of `claims`.
    package func claimsNow(after appointment: AppointmentID? = nil, limit: Int = .max) -> [StandingClaim] {
        state.withLock { state in
            state.holders.compactMap { schedule, held in
                guard let slot = state.slots[schedule], appointment.map({ held.appointment > $0 }) ?? true else {
                    return nil
                }
                return StandingClaim(
                    appointment: held.appointment, schedule: schedule, subject: held.subject, date: slot.date,
                    claimed: held.claimed)
            }.sorted { $0.appointment < $1.appointment }.prefix(max(limit, 0)).map { $0 }
        }
    }

    /// Puts back immediately; the rules are those of `putBack`.
    package func putBackNow(_ claim: StandingClaim) -> Bool {
        state.withLock { state in
            let others = state.holders.filter { $0.value.subject == claim.subject }.compactMap { state.slots[$0.key] }
            let fits = claim.fits(
                state.slots[claim.schedule], heldBy: state.holders[claim.schedule]?.appointment,
                own: state.holders.first { $0.value.appointment == claim.appointment }?.key, others: others)
            guard fits else { return false }
            state.holders[claim.schedule] = Held(
                appointment: claim.appointment, subject: claim.subject, claimed: claim.claimed)
            return true
        }
    }
}

/// Which country each slot belongs to: what the countries' databases in memory share.
package final class ScheduleOwners: Sendable {
    private let countries = Mutex<[ScheduleID: Country]>([:])

    package init() {}

    fileprivate var all: [ScheduleID: Country] { countries.withLock { $0 } }

    /// Notes slots as a country's, all or none.
    ///
    /// - Throws: `invalid` when one belongs to the other country.
    fileprivate func take(_ schedules: [ScheduleID], for country: Country) throws(EventStoreError) {
        try countries.withLock { (countries) throws(EventStoreError) in
            let refused = schedules.filter { countries[$0, default: country] != country }
            if let refusals = SlotRefusals(refused.map { SlotRefusal($0, .elsewhere) }) {
                throw EventStoreError(refusals)
            }
            for schedule in schedules { countries[schedule] = country }
        }
    }
}

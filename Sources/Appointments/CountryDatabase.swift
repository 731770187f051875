package import EventStore

/// A wish to hold a slot for an appointment.
package struct SlotClaim: Equatable, Sendable {
    package let appointment: AppointmentID
    package let schedule: ScheduleID
    package let country: Country
    /// The random id of the insured person.
    package let subject: Identifier
    package let now: Timestamp

    package init(
        appointment: AppointmentID, schedule: ScheduleID, country: Country, subject: Identifier, now: Timestamp
    ) {
        (self.appointment, self.schedule, self.country) = (appointment, schedule, country)
        (self.subject, self.now) = (subject, now)
    }

    /// Why the slot can't be held whoever else wants it; nil when it can.
    package func refusal(of slot: Slot) -> FailureReason? {
        if slot.date <= now { return .slotInPast }
        return country.isOpen(for: slot.date) ? nil : .outsideOpeningHours
    }

    /// The answer to the claim. Every engine asks this, inside the transaction that then stores the holder.
    ///
    /// - Parameter refused: what the appointment was told before; nil where it was not refused.
    /// - Parameter slot: the slot that is claimed; nil where the country has none with this id.
    /// - Parameter holder: the appointment that holds it.
    /// - Parameter others: the slots that the insured person holds, or those of them that overlap.
    package func decide(
        refused: FailureReason?, on slot: Slot?, heldBy holder: AppointmentID?, others: [Slot]
    ) -> ClaimResult {
        if let refused { return .refused(refused) }
        guard let slot else { return .refused(.scheduleNotFound) }
        if holder == appointment { return .held(slot) }
        if let reason = refusal(of: slot) { return .refused(reason) }
        if holder != nil { return .refused(.slotTaken) }
        return others.contains(where: slot.overlaps) ? .refused(.alreadyBooked) : .held(slot)
    }
}

/// What a country's database answers to a claim.
package enum ClaimResult: Equatable, Sendable {
    /// The appointment holds the slot, since now or since an earlier claim.
    case held(Slot)
    case refused(FailureReason)
}

/// A slot as its country lists it.
package struct ScheduleRow: Equatable, Sendable {
    package let slot: Slot
    package let country: Country
    /// The appointment that holds it.
    package let holder: AppointmentID?

    package init(slot: Slot, country: Country, holder: AppointmentID?) {
        (self.slot, self.country, self.holder) = (slot, country, holder)
    }
}

/// The clinical database of one country: its slots, and who holds them.
package protocol CountryDatabase: Sendable {
    /// Holds a slot for an appointment, in one transaction: a slot has one holder whoever races, and no insured person
    /// holds two slots that overlap. Claiming again gives the same answer: the slot that the appointment holds, or the
    /// reason why it was refused. So a claim that comes late, from a worker that was thought dead, holds nothing that
    /// nobody gives back.
    ///
    /// The order of the reasons: not found, held already by this appointment, past, closed, taken, already booked.
    func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult

    /// Gives back what an appointment holds. From then on its claims are refused, also when it held nothing.
    func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError)

    /// Adds slots, or replaces those that nobody holds; all or none. The agenda is judged as it is afterwards: slots
    /// may change places, and no medic has two slots at a time.
    ///
    /// - Throws: `invalid`, with `SlotRefusals` as its cause.
    func add(_ slots: [Slot]) async throws(EventStoreError)

    /// Slots by id, those behind `schedule`, at most `limit`.
    func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow]

    /// The claims that stand, by the id of their appointment, those behind `appointment`, at most `limit`.
    func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim]

    /// Has an appointment hold again what it had, where its events say so and the claim is gone. What is past or closed
    /// by now is put back too.
    ///
    /// - Returns: false, and nothing is done, when the slot is not listed at that time, somebody else holds it, or the
    ///   person or the appointment holds another one.
    func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool
}

/// A claim as a country's database keeps it while it stands.
package struct StandingClaim: Equatable, Sendable {
    package let appointment: AppointmentID
    package let schedule: ScheduleID
    /// The random id of the insured person.
    package let subject: Identifier
    /// When the slot begins.
    package let date: Timestamp
    package let claimed: Timestamp

    package init(
        appointment: AppointmentID, schedule: ScheduleID, subject: Identifier, date: Timestamp, claimed: Timestamp
    ) {
        (self.appointment, self.schedule, self.subject) = (appointment, schedule, subject)
        (self.date, self.claimed) = (date, claimed)
    }

    /// Whether the claim can be put back on a slot.
    ///
    /// - Parameter slot: the slot that it names; nil where the country has none with this id.
    /// - Parameter holder: the appointment that holds it.
    /// - Parameter own: what the appointment itself holds.
    /// - Parameter others: the slots that the insured person holds, or those of them that overlap.
    package func fits(
        _ slot: Slot?, heldBy holder: AppointmentID?, own: ScheduleID?, others: [Slot]
    ) -> Bool {
        guard let slot, slot.date == date else { return false }
        if holder == appointment { return true }
        return holder == nil && own == nil && !others.contains(where: slot.overlaps)
    }
}

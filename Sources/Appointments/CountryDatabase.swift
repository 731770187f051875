package import EventStore

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

    /// Slots by id, those after `schedule`, at most `limit`.
    func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow]

    /// The claims that stand, by the id of their appointment, those after `appointment`, at most `limit`.
    func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim]

    /// Has an appointment hold again what it had, where its events say so and the claim is gone. What is past or closed
    /// by now is put back too.
    ///
    /// - Returns: false, and nothing is done, when the slot is not listed at that time, somebody else holds it, or the
    ///   person or the appointment holds another one.
    func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool
}

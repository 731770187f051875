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

/// Why nobody can book a slot, whoever asks.
package enum UnbookableReason: CaseIterable, Sendable {
    case past
    case closed
    case betweenMinutes
}

extension Slot {
    /// Whether two slots share a moment; one that begins when the other ends does not.
    package func overlaps(_ other: Slot) -> Bool { date < other.end && other.date < end }

    /// Why nobody is to book the slot from a moment on; nil when they may.
    package func unbookable(in country: Country, from now: Timestamp) -> UnbookableReason? {
        if date <= now { return .past }
        if date.milliseconds % 60_000 != 0 { return .betweenMinutes }
        return country.isOpen(for: date) ? nil : .closed
    }
}

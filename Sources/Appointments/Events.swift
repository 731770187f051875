package import EventStore

/// What can happen to an appointment. Names and fields are a storage format: they are added to, never changed.
package enum AppointmentEvent: Equatable, Sendable {
    case requested(Requested)
    case routed(Routed)
    case countryProcessed(CountryProcessed)
    case completed
    case failed(Failed)
}

/// Somebody asked for a slot. Who it was is sealed next to the entry.
package struct Requested: Equatable, Sendable {
    package let schedule: ScheduleID
    package let country: Country

    package init(schedule: ScheduleID, country: Country) { (self.schedule, self.country) = (schedule, country) }
}

/// The request was sent to its country.
package struct Routed: Equatable, Sendable {
    /// The name of the country's topic.
    package let topic: String

    package init(topic: String) { self.topic = topic }
}

/// The country holds the slot for this appointment.
package struct CountryProcessed: Equatable, Sendable {
    package let slot: Slot
    /// The country's own number for the booking.
    package let booking: Identifier

    package init(slot: Slot, booking: Identifier) { (self.slot, self.booking) = (slot, booking) }
}

/// What a country knows of a slot.
package struct Slot: Equatable, Sendable {
    package let schedule: ScheduleID
    package let center: Int64
    package let specialty: Int64
    package let medic: Int64
    /// When it begins.
    package let date: Timestamp

    package init(schedule: ScheduleID, center: Int64, specialty: Int64, medic: Int64, date: Timestamp) {
        (self.schedule, self.center, self.specialty, self.medic, self.date) = (schedule, center, specialty, medic, date)
    }

    /// The moment at which an appointment in this slot ends.
    package var end: Timestamp { date.adding(milliseconds: Int64(Country.slotMinutes) * 60_000) }
}

/// The request came to nothing.
package struct Failed: Equatable, Sendable {
    package let reason: FailureReason
    package let stage: Stage
    /// For people; without personal data.
    package let message: String

    package init(reason: FailureReason, stage: Stage, message: String) {
        (self.reason, self.stage, self.message) = (reason, stage, message)
    }

    /// Who gave the request up.
    package enum Stage: String, CaseIterable, Sendable {
        /// The country processor, which holds no slot for a request that it refuses.
        case processing
        /// The error handler, for a failure that was only reported.
        case error
        /// A person at the command line.
        case `operator`
    }
}

/// Why a request came to nothing.
package enum FailureReason: String, CaseIterable, Sendable {
    case scheduleNotFound = "SCHEDULE_NOT_FOUND"
    case slotTaken = "SLOT_TAKEN"
    case slotInPast = "SLOT_IN_PAST"
    case outsideOpeningHours = "OUTSIDE_OPENING_HOURS"
    /// The same insured person holds an overlapping slot.
    case alreadyBooked = "ALREADY_BOOKED"
    /// An operator gave it up.
    case processingExhausted = "PROCESSING_EXHAUSTED"

    /// What a person is told.
    package var message: String {
        switch self {
        case .scheduleNotFound: "the country has no slot with this scheduleId"
        case .slotTaken: "the slot is held by another appointment"
        case .slotInPast: "the slot has already begun"
        case .outsideOpeningHours: "the slot lies outside the country's opening hours"
        case .alreadyBooked: "the insured person holds another slot at this time"
        case .processingExhausted: "processing was given up"
        }
    }
}

extension AppointmentEvent {
    /// The storage name of the kind of event.
    package var type: EventType {
        switch self {
        case .requested: .requested
        case .routed: .routed
        case .countryProcessed: .countryProcessed
        case .completed: .completed
        case .failed: .failed
        }
    }
}

/// The storage names of the kinds of events.
package enum EventType: String, CaseIterable, Sendable {
    case requested
    case routed
    case countryProcessed = "country-processed"
    case completed
    case failed
}

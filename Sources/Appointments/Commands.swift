/// A wish about an appointment. Time and new identifiers arrive inside it.
package enum AppointmentCommand: Equatable, Sendable {
    /// An insured person asks for a slot.
    case request(Requested)
    /// The router sends the request to its country.
    case route(topic: String)
    /// The country processor holds the slot.
    case process(CountryProcessed)
    /// The booking is announced; there is nothing left to do.
    case complete
    /// The request is given up.
    case fail(Failed)
}

/// Why a command is refused: an expected no, not an error.
package enum Rejection: Error, Equatable, Sendable {
    /// Nobody ever asked for this appointment.
    case notRequested
    /// The command comes before its turn: the appointment is not there yet.
    case tooEarly(status: String)
    /// The appointment has ended otherwise.
    case alreadyEnded(EventType)
    /// The same id stands for another request.
    case differentRequest
}

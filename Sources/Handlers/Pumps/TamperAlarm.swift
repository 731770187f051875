package import Appointments
package import EventStore
package import Logging
package import Projections

/// A sign that somebody changed or removed a stored event.
package struct Tampering: Equatable, Sendable {
    /// Nil where what was seen belongs to none.
    package let appointment: AppointmentID?
    package let version: Int
    /// What was seen, as a lowercase sentence.
    package let reason: String

    package init(_ appointment: AppointmentID?, version: Int, reason: String) {
        (self.appointment, self.version, self.reason) = (appointment, version, reason)
    }
}

/// Raises the alarm when stored events were changed: in the log, and kept until an operator has dealt with it.
package struct TamperAlarm: Sendable {
    /// The name under which the signs are kept, next to the parked events of projections.
    package static let projection = ConsumerName("tampering", number: 1)
    /// The appointment that nobody has: under it signs are kept that belong to none.
    package static let nobody = AppointmentID(Identifier(high: 0, low: 0))

    private let signs: any ConsumerStore
    private let counting: @Sendable (Int) -> Void
    private let logger: Logger

    /// - Parameter counting: told how many signs each alarm is about, once they are durable.
    package init(
        signs: any ConsumerStore, logger: Logger, counting: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        (self.signs, self.logger, self.counting) = (signs, logger, counting)
    }

    /// Raises the alarm; the signs are durable once this returns.
    ///
    /// - Throws: `unavailable`: raise it again.
    package func raise(_ tamperings: [Tampering], at now: Timestamp) async throws(EventStoreError) {
        guard !tamperings.isEmpty else { return }
        for tampering in tamperings {
            logger.critical(
                "a stored event was tampered with: run `ledger verify`",
                metadata: [
                    "appointment": "\(tampering.appointment?.description ?? "none")",
                    "version": "\(tampering.version)",
                    "reason": "\(tampering.reason)",
                ])
        }
        let parked = tamperings.map { tampering in
            ParkedEvent(
                appointment: tampering.appointment ?? Self.nobody, version: tampering.version,
                reason: tampering.reason, at: now)
        }
        try await signs.put([], parking: parked, by: Self.projection)
        counting(tamperings.count)
    }
}

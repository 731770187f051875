package import Appointments
package import EventStore

// Events that reach a consumer while an operator holds it. Where it has no checkpoint to go on from, as with a change
// stream, they are parked, and taken in once it is resumed.

extension ParkedEvent {
    /// The reason under which an event is parked that came while its consumer was held.
    package static let held = "came while the projection was held"

    /// An event that came while a projection was held.
    package static func held(_ event: RecordedEvent, at now: Timestamp) -> ParkedEvent {
        ParkedEvent(appointment: event.stream.appointment, version: event.version, reason: held, at: now)
    }

    /// Whether it waits for nothing but the resumption.
    package var isHeld: Bool { reason == Self.held }
}

extension ConsumerStore {
    /// Takes in what came while a projection was held: at most `limit` appointments, by id. One that can't be taken in
    /// stays parked for its own reason.
    ///
    /// - Parameters:
    ///   - parked: what the projection has parked.
    ///   - retry: takes in an appointment and unparks it; gives what parks it still.
    /// - Returns: how many appointments were looked at; 0 when none waits.
    /// - Throws: `unavailable`; the others wait on.
    package func takeUp(
        _ parked: [ParkedEvent], by projection: ConsumerName, limit: Int, now: Timestamp,
        retry: (AppointmentID) async throws(EventStoreError) -> ParkedEvent?
    ) async throws(EventStoreError) -> Int {
        let waiting = parked.filter(\.isHeld).prefix(max(limit, 0))
        for event in waiting {
            var still: ParkedEvent?
            do throws(EventStoreError) {
                still = try await retry(event.appointment)
            } catch {
                try error.throwIfUnavailable()
                still = ParkedEvent(
                    appointment: event.appointment, version: event.version, reason: error.message, at: now)
            }
            guard let still else { continue }
            // The first reason stands, so it goes before the other one comes.
            try await unpark(event.appointment, upTo: max(event.version, still.version), from: projection)
            try await put([], parking: [still], by: projection)
        }
        return waiting.count
    }
}

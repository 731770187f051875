package import Appointments
package import EventStore

/// How often the sweeper has sent an appointment round again.
package protocol SweepLog: Sendable {
    /// Counts one more round for an appointment that stands at a version; durable before this returns.
    ///
    /// - Parameter quietSince: a round that began after this moment is still being waited for.
    /// - Returns: false when it is too early, or the appointment has had all its rounds at this version.
    func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quietSince: Timestamp, maximum: Int
    ) async throws(EventStoreError) -> Bool

    /// Appointments that had `rounds` rounds at the version they still stand at, and the last one before a moment.
    func stuck(rounds: Int, quietSince: Timestamp) async throws(EventStoreError) -> [AppointmentID]
}

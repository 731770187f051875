package import Appointments
package import EventStore

/// A consumer of the feed, and the key of its checkpoint.
package struct ConsumerName: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    package let number: Int

    package init(_ name: String, number: Int) { (self.name, self.number) = (name, number) }

    package var description: String { "\(name)@\(number)" }
}

/// An event that a live projection could not take in. Its appointment's later events wait for it.
package struct ParkedEvent: Equatable, Sendable {
    package let appointment: AppointmentID
    package let version: Int
    package let reason: String
    package let at: Timestamp

    package init(appointment: AppointmentID, version: Int, reason: String, at: Timestamp) {
        (self.appointment, self.version, self.reason, self.at) = (appointment, version, reason, at)
    }
}

/// What one step of a projection writes, all or nothing.
package struct ProjectionCommit: Sendable {
    package var rows: [AppointmentRow] = []
    package var parked: [ParkedEvent] = []
    /// How far the projection has come after it.
    package var checkpoint: Int

    package init(checkpoint: Int) { self.checkpoint = checkpoint }
}

/// Checkpoints, and what belongs with them. A checkpoint moves in the transaction that writes the rows.
package protocol ConsumerStore: Sendable {
    /// How far a projection has come; 0 before its first step.
    func checkpoint(of projection: ConsumerName) async throws(EventStoreError) -> Int

    /// The rows of some appointments; those without one are missing.
    func rows(of appointments: [AppointmentID]) async throws(EventStoreError) -> [AppointmentID: AppointmentRow]

    /// Writes rows, parked events and checkpoint together, if the checkpoint still is what the worker read. A row never
    /// takes the place of one of a later version.
    ///
    /// - Returns: false when another worker moved it: nothing was written, and this one is to start over.
    func commit(
        _ commit: ProjectionCommit, of projection: ConsumerName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool

    /// Writes rows and parked events together, for a consumer that has no checkpoint of its own: one that is given
    /// single records by a change stream, or an appointment by an operator. A row never takes the place of one of a
    /// later version.
    func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName
    ) async throws(EventStoreError)

    /// The first parked event of each appointment that a projection has parked, by id.
    func parked(by projection: ConsumerName) async throws(EventStoreError) -> [ParkedEvent]

    /// Takes away an appointment's parked events up to a version: those that were taken in meanwhile. Later ones stay.
    func unpark(
        _ appointment: AppointmentID, upTo version: Int, from projection: ConsumerName
    ) async throws(EventStoreError)
}

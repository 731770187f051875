package import Appointments
package import EventStore

/// A consumer of the feed, and the key of its checkpoint.
package struct ProjectionName: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    package let number: Int

    package init(_ name: String, number: Int) { (self.name, self.number) = (name, number) }

    package var description: String { "\(name)@\(number)" }
}

/// An event that a live projection could not take in. Its appointment's later events wait behind it.
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

/// Checkpoints, and what belongs beside them. A checkpoint moves in the transaction that writes the rows.
package protocol ProjectionStore: Sendable {
    /// How far a projection has come; 0 before its first step.
    func checkpoint(of projection: ProjectionName) async throws(EventStoreError) -> Int

    /// The rows of some appointments; those without one are missing.
    func rows(of appointments: [AppointmentID]) async throws(EventStoreError) -> [AppointmentID: AppointmentRow]

    /// Writes rows, parked events and checkpoint together, if the checkpoint still is what the worker read.
    ///
    /// - Returns: false when another worker moved it: nothing was written, and this one is to start over.
    func commit(
        _ commit: ProjectionCommit, of projection: ProjectionName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool

    /// The first parked event of each appointment that a projection has parked, by id.
    func parked(by projection: ProjectionName) async throws(EventStoreError) -> [ParkedEvent]

    /// Takes an appointment's parked events away, so that it is read again from the store.
    func unpark(_ appointment: AppointmentID, from projection: ProjectionName) async throws(EventStoreError)
}

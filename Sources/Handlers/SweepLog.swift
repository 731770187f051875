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

    /// Appointments that had `rounds` rounds at the version at which the view still shows them, the last of which began
    /// no later than a moment; by id.
    func stuck(rounds: Int, quietSince: Timestamp) async throws(EventStoreError) -> [AppointmentID]
}

/// The rounds that an appointment had at one version, and the rule of when it has another.
package struct SweepRounds: Equatable, Sendable {
    package let version: Int
    package let count: Int
    /// When the last one began.
    package let last: Timestamp

    package init(version: Int, count: Int, last: Timestamp) {
        (self.version, self.count, self.last) = (version, count, last)
    }

    /// The rounds once another has begun; nil when none may begin.
    ///
    /// A later version starts to count anew. An earlier one is what a reader of a stale view saw, and has no round.
    package static func next(
        after rounds: SweepRounds?, version: Int, now: Timestamp, quietSince: Timestamp, maximum: Int
    ) -> SweepRounds? {
        var had = 0
        if let rounds, rounds.version >= version {
            if rounds.version > version || rounds.last > quietSince { return nil }
            had = rounds.count
        }
        return had < maximum ? SweepRounds(version: version, count: had + 1, last: now) : nil
    }
}

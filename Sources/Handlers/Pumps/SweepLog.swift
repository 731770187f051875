package import Appointments
package import EventStore

/// How often the sweeper has sent an appointment round again.
package protocol SweepLog: Sendable {
    /// Counts one more round for an appointment that stands at a version; durable before this returns.
    ///
    /// - Parameter quiet: a round that began at another moment is still being waited for.
    /// - Returns: false when it is too early, or the appointment has had all its rounds at this version.
    func beginRound(
        of appointment: AppointmentID, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) async throws(EventStoreError) -> Bool

    /// Appointments that had `rounds` rounds at the version at which the view still shows them, and have been quiet
    /// since the last of them; by id.
    func stuck(rounds: Int, quiet: Quiet) async throws(EventStoreError) -> [AppointmentID]
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
        after rounds: SweepRounds?, version: Int, now: Timestamp, quiet: Quiet, maximum: Int
    ) -> SweepRounds? {
        var had = 0
        if let rounds, rounds.version >= version {
            if rounds.version > version || !quiet.contains(rounds.last) { return nil }
            had = rounds.count
        }
        return had < maximum ? SweepRounds(version: version, count: had + 1, last: now) : nil
    }
}

package import EventStore
package import Projections

/// Says when a worker last came to the end of a change stream; nil when none ever did.
package typealias LastRound = @Sendable () async throws(EventStoreError) -> Timestamp?

/// How far a consumer of the feed has come.
package struct ConsumerStatus: Equatable, Sendable {
    package let name: ConsumerName
    package let state: State
    package let checkpoint: Int
    /// How many events it has not taken in.
    ///
    /// Nil where nothing tells that: the views follow a change stream.
    package let lag: Int?
    /// How long ago the first of them was appended, in seconds; nil as `lag`.
    package let lagSeconds: Int?
    /// How many appointments it has parked.
    package let parked: Int
    /// When its checkpoint last moved; nil when that is not known.
    package let movedAt: Timestamp?
    /// Why it stands still, where that is known, else why it parked an appointment last; nil when none is parked.
    package let lastError: String?
    /// Whether it lags and has not moved for a while.
    package let isStalled: Bool

    /// What a consumer is doing.
    package enum State: String, CaseIterable, Sendable {
        /// It has every event.
        case live
        case catchingUp = "catching up"
        /// A new set of its tables is being made next to the live one, which goes on. One that nobody works on any more
        /// does not count.
        case rebuilding
        /// An operator holds it.
        case paused
        /// It lags and has not moved for a while.
        case stalled
        /// It has left something, and nothing in this program works on it.
        case detached
        /// Lambda follows the change stream for it, and only CloudWatch knows how far it is.
        case unknown
    }
}

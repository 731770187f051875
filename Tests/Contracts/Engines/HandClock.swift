package import EventStore
import Synchronization

/// A clock that is turned by hand. It begins on Monday 2 March 2026 at 10:00 in Lima.
package final class HandClock: Sendable {
    private let moment = Mutex((wall: Timestamp(milliseconds: 1_772_463_600_000), uptime: Int64(0)))

    package init() {}

    @Sendable package func now() -> Timestamp { moment.withLock { $0.wall } }
    @Sendable package func uptime() -> Int64 { moment.withLock { $0.uptime } }

    package func advance(milliseconds: Int64) {
        moment.withLock { $0 = ($0.wall.adding(milliseconds: milliseconds), $0.uptime + milliseconds) }
    }

    /// Sets the wall clock on or back; no time passes.
    package func step(milliseconds: Int64) { moment.withLock { $0.wall = $0.wall.adding(milliseconds: milliseconds) } }
}

/// The moments at which something was written that is old by now: up to a moment, and from one on that lies further
/// ahead than any of them can. So what a wrong clock wrote is waited for no longer than anything else, whatever the
/// clock does since.
package struct Quiet: Equatable, Sendable {
    package let since: Timestamp
    /// What lies beyond this was written by a clock that was ahead.
    package let beyond: Timestamp

    package init(forMilliseconds patience: Int64, at now: Timestamp) {
        (since, beyond) = (now.adding(milliseconds: -patience), now.adding(milliseconds: patience))
    }

    /// Whether what was written at a moment is old.
    package func contains(_ moment: Timestamp) -> Bool { moment <= since || moment > beyond }
}

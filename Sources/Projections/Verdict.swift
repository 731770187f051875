package import EventStore

/// What a consumer does with an event that reaches it. It never trusts the order or uniqueness of delivery.
package enum Verdict: Equatable, Sendable {
    /// The next version: apply it.
    case accept
    /// It was applied before: drop it.
    case duplicate
    /// Versions are missing before it: read them from the store, from this one on.
    case gap(from: Int)
    /// The same version with another hash: stop, and raise an alarm.
    case conflict

    /// Compares an event with what the consumer holds of its appointment.
    ///
    /// - Parameter held: version and leaf of the last event applied; nil when there is none.
    package init(of event: RecordedEvent, holding held: StreamHead?) {
        let version = held?.version ?? 0
        // A damaged row may hold any number: nothing is added to it that could overflow.
        if event.version - 1 == version {
            // The chain is checked here too: the right version after another history is a conflict.
            self = event.entry.previous == held?.leaf ? .accept : .conflict
        } else if event.version > version {
            self = .gap(from: version + 1)
        } else if event.version == version, event.leaf != held?.leaf {
            self = .conflict
        } else {
            self = .duplicate
        }
    }
}

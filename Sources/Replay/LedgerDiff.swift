package import Appointments
package import EventStore
package import Projections

/// Which appointments changed between two moments of the log, and how.
package struct LedgerDiff: Sendable {
    private let log: any AuditLog
    private let store: any StreamReader
    private let views: any AppointmentView

    package init(log: any AuditLog, store: any StreamReader, views: any AppointmentView) {
        (self.log, self.store, self.views) = (log, store, views)
    }

    /// An appointment that changed.
    package struct Change: Sendable {
        package let appointment: AppointmentID
        /// What it was; nil before its first event.
        package let old: AppointmentRow?
        package let new: AppointmentRow?
        package let explanation: Explanation?

        /// The fields that differ.
        package func fields(showing person: PersonDisplay) -> [FieldChange] {
            AppointmentRow.changes(from: old, to: new, showing: person)
        }
    }

    /// Finds what changed, in the order of the first event after `from`, and gives it to `body`, some at a time.
    ///
    /// - Parameter from: a time or a position; `to` as well.
    /// - Throws: `unavailable` or `corrupt`, and what `body` throws.
    package func each(
        from: Moment, to: Moment, showing person: PersonDisplay, _ body: ([Change]) async throws -> Void
    ) async throws {
        var filter = EventFilter()
        var after = 0
        // Both bounds may be of either kind; a stream that did not change between them is passed over below.
        if case .position(let position) = from { after = position }
        if case .time(let time) = from { filter.from = time }
        if case .time(let time) = to { filter.to = time }
        var seen: Set<StreamID> = []
        while true {
            let events = try await log.events(matching: filter, after: after, limit: 1000)
            var changes: [Change] = []
            for event in events where isWithin(event, from, to) && seen.insert(event.stream).inserted {
                if let change = try await change(event.stream, from, to, person) { changes.append(change) }
            }
            if !changes.isEmpty { try await body(changes) }
            guard let last = events.last?.position, events.count == 1000 else { return }
            if case .position(let end) = to, last >= end { return }
            after = last
        }
    }

    private func isWithin(_ event: RecordedEvent, _ from: Moment, _ to: Moment) -> Bool {
        if case .time(let time) = from, event.entry.at <= time { return false }
        if case .position(let position) = to, event.position ?? 0 > position { return false }
        return true
    }

    private func change(
        _ stream: StreamID, _ from: Moment, _ to: Moment, _ person: PersonDisplay
    ) async throws(EventStoreError) -> Change? {
        let appointment = stream.appointment
        let insured = try await views.row(appointment)?.insured
        guard let history = try await History.read(appointment, from: store, insured: insured) else { return nil }
        let (old, new) = (try history.state(at: from), try history.state(at: to))
        if old == new { return nil }
        let until = History(appointment, events: history.recorded(until: to), insured: insured)
        return Change(
            appointment: appointment, old: old, new: new, explanation: try Explanation(until, showing: person))
    }
}

package import Appointments
package import EventStore

/// A rule from events to rows, with the name and number under which its rows are kept.
package struct Projection: Sendable {
    package let name: ConsumerName
    /// The row after an event. Pure: it has no way to send anything, so a rebuild can have no side effect.
    package let project:
        @Sendable (RecordedEvent, AppointmentRow?, InsuredID?) throws(EventStoreError) -> AppointmentRow

    package init(
        _ name: ConsumerName,
        project:
            @escaping @Sendable (RecordedEvent, AppointmentRow?, InsuredID?) throws(EventStoreError) ->
            AppointmentRow
    ) {
        (self.name, self.project) = (name, project)
    }

    /// The projection of today's program.
    package static let appointments = Projection(ProjectionRunner.projection) {
        (event, row, insured) throws(EventStoreError) in
        try AppointmentProjection.project(event, onto: row, insured: insured)
    }

    /// The row after an event that comes after the row's last one.
    ///
    /// - Returns: nil when the row holds the event already.
    /// - Throws: `corrupt`, naming the event, when it can't be read or does not follow what the row holds.
    package func next(
        _ event: RecordedEvent, onto row: AppointmentRow?, insured: InsuredID?
    ) throws(EventStoreError) -> AppointmentRow? {
        if Verdict(of: event, holding: row?.head) == .duplicate { return nil }
        var fold = Fold(event.stream, onto: row)
        fold.take(event, insured: insured, by: self)
        return try fold.whole()
    }
}

extension RecordedEvent {
    /// The event's place, for people: `position 7 (version 2 of appointment-…)`.
    package var named: String {
        let place = "version \(version) of \(stream)"
        return position.map { "position \($0) (\(place))" } ?? place
    }
}

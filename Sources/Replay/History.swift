package import Appointments
package import EventStore
package import Projections

/// An event as people look at it: in a history, in an audit page, at the command line.
package struct HistoryItem: Equatable, Sendable {
    package let appointment: AppointmentID
    /// ISO 3166-1 alpha-2 code of the country.
    package let country: String
    package let version: Int
    /// The place in the log of all streams; nil where the engine gives no such order.
    package let position: Int?
    package let type: String
    package let at: Timestamp
    package let actor: String
    package let correlation: String
    package let causation: Identifier?
    /// The JSON object of the event's own fields.
    package let data: [UInt8]
    /// The entry as it is stored and hashed.
    package let entry: [UInt8]
    package let leaf: Hash
    package let previous: Hash?

    package init(_ event: RecordedEvent) {
        let entry = event.entry
        (appointment, country, version) = (event.stream.appointment, entry.country, entry.version)
        (position, type, at, actor) = (event.position, entry.type, entry.at, entry.actor)
        (correlation, causation, data) = (entry.correlation, entry.causation, entry.data)
        (self.entry, leaf, previous) = (entry.bytes, event.leaf, entry.previous)
    }
}

/// A point in an appointment's life.
package enum Moment: Equatable, Sendable {
    /// After the last event.
    case latest
    /// After the last event that happened at this time or before it; nothing before the time of the first event.
    case time(Timestamp)
    /// After the event with this version.
    case version(Int)
    /// After the last event that stands at this position of the log or before it.
    case position(Int)
}

/// What happened to one appointment, in order, and what it was at any time.
package struct History: Sendable {
    package let appointment: AppointmentID
    /// Who asked; nil when that is not known or was erased.
    package let insured: InsuredID?
    package let events: [RecordedEvent]

    package init(_ appointment: AppointmentID, events: [RecordedEvent], insured: InsuredID?) {
        (self.appointment, self.events, self.insured) = (appointment, events, insured)
    }

    /// Reads a history from the store; nil for an appointment that nobody asked for.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    package static func read(
        _ appointment: AppointmentID, from store: any StreamReader, insured: InsuredID?
    ) async throws(EventStoreError) -> History? {
        let events = try await store.read(appointment.stream)
        return events.isEmpty ? nil : History(appointment, events: events, insured: insured)
    }

    package var items: [HistoryItem] { events.map(HistoryItem.init) }

    /// The events that made the appointment what it was; none before its first, and for a version that it has not
    /// reached.
    package func items(until moment: Moment) -> [HistoryItem] { recorded(until: moment).map(HistoryItem.init) }

    /// The appointment as it was; nil before its first event, and for a version that it has not reached.
    ///
    /// - Throws: `corrupt` when an event can't be read.
    package func state(at moment: Moment) throws(EventStoreError) -> AppointmentRow? {
        try AppointmentProjection.fold(recorded(until: moment), insured: insured)
    }

    /// As `items(until:)`, as they are stored.
    package func recorded(until moment: Moment) -> [RecordedEvent] {
        switch moment {
        case .latest: events
        case .time(let time): events.first.map { $0.entry.at <= time } == true ? through { $0.entry.at <= time } : []
        case .position(let position): through { $0.position.map { $0 <= position } ?? false }
        case .version(let version):
            through { $0.version == version }
        }
    }

    /// The events up to the last one that a condition holds for.
    private func through(_ isIncluded: (RecordedEvent) -> Bool) -> [RecordedEvent] {
        events.lastIndex(where: isIncluded).map { Array(events[...$0]) } ?? []
    }
}

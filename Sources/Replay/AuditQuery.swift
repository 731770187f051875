package import Appointments
package import EventStore
package import Projections

/// An event of an audit page, with the person it is about.
package struct AuditItem: Equatable, Sendable {
    package let event: HistoryItem
    /// Who asked; nil once the person was erased.
    package let insured: InsuredID?

    package init(_ event: HistoryItem, insured: InsuredID?) { (self.event, self.insured) = (event, insured) }
}

/// A page of the audit log.
package struct AuditPage: Equatable, Sendable {
    package let items: [AuditItem]
    /// The position to ask for the next page after; nil when this is the last one.
    package let next: Int?
    /// Whether the question went on from a position that the log has not reached: the page is empty for that reason,
    /// and not because nothing came.
    package var isBeyondEnd = false
}

/// A question about the events of all streams.
package struct AuditQuery: Sendable {
    /// What is asked for; its `streams` are set from `appointment` and `insured`.
    package var filter: EventFilter
    package var appointment: AppointmentID?
    package var insured: InsuredID?
    /// Only events after this position.
    package var after = 0
    package var limit = 100

    /// The most events of a page.
    package static let maximumLimit = 1000
    /// The most appointments that one person's question is followed to.
    package static let maximumStreams = 10_000

    package init(_ filter: EventFilter = EventFilter()) { self.filter = filter }

    /// The cause of the refusal of a person with more than `maximumStreams` appointments.
    package struct TooManyAppointments: Error {}

    /// The filter with the streams that the question is about; nil streams are all of them.
    ///
    /// - Throws: as `page`.
    package func resolved(by views: any AppointmentView) async throws(EventStoreError) -> EventFilter {
        var filter = filter
        if let insured {
            filter.streams = try await Self.streams(of: insured, in: views)
        }
        if let appointment {
            let isWanted = filter.streams?.contains(appointment.stream) ?? true
            filter.streams = isWanted ? [appointment.stream] : []
        }
        return filter
    }

    /// Reads the page that answers the question.
    ///
    /// - Throws: `unavailable`, `corrupt`, or `invalid` for a person with more than `maximumStreams` appointments.
    package func page(
        of log: any AuditLog, views: any AppointmentView
    ) async throws(EventStoreError) -> AuditPage {
        let filter = try await resolved(by: views)
        if filter.streams?.isEmpty == true { return AuditPage(items: [], next: nil) }
        let limit = min(max(limit, 1), Self.maximumLimit)
        let events = try await log.events(matching: filter, after: after, limit: limit + 1)
        let shown = events.prefix(limit)
        let rows = try await views.rows(of: Set(shown.map(\.stream.appointment)).sorted())
        let items = shown.map { AuditItem(HistoryItem($0), insured: rows[$0.stream.appointment]?.insured) }
        var page = AuditPage(items: items, next: events.count > limit ? items.last?.event.position : nil)
        if events.isEmpty, after > 0 {
            page.isBeyondEnd = try await log.events(matching: EventFilter(), after: after - 1, limit: 1).isEmpty
        }
        return page
    }

    private static func streams(
        of insured: InsuredID, in views: any AppointmentView
    ) async throws(EventStoreError) -> Set<StreamID> {
        var streams: Set<StreamID> = []
        var place: RowPlace?
        while true {
            let rows = try await views.rows(RowFilter(insured: insured), after: place, offset: 0, limit: 500)
            for row in rows { streams.insert(row.appointment.stream) }
            guard streams.count <= maximumStreams else {
                throw EventStoreError(
                    .invalid, message: "a person has more than \(maximumStreams) appointments: ask for one of them",
                    cause: TooManyAppointments())
            }
            guard rows.count == 500, let last = rows.last else { return streams }
            place = last.place
        }
    }
}

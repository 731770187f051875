import Appointments
package import EventStore
package import Projections

/// What past lists are made of where the view can't be trusted to have every event: it is held, parked an appointment,
/// or is behind.
package struct PastEvents: Sendable {
    private let log: any AuditLog
    private let people: PersonResolver
    private let progress: ViewProgress

    /// - Parameter log: the events of the store, and not of a copy that may be behind.
    /// - Parameter people: says who asked, where the view does not.
    /// - Parameter progress: tells what the view has.
    package init(log: any AuditLog, people: PersonResolver, progress: ViewProgress) {
        (self.log, self.people, self.progress) = (log, people, progress)
    }

    /// What of them the view has.
    func coverage() async throws(EventStoreError) -> ViewProgress.Coverage { try await progress.coverage() }

    /// The places of the appointments that had begun at a moment and may be on a list, in the order of lists.
    func begun(_ filter: RowFilter, at moment: Moment) async throws(EventStoreError) -> [RowPlace] {
        var events = EventFilter(type: EventType.requested.rawValue, country: filter.country?.code)
        (events.from, events.to) = (filter.from, filter.to)
        var places: [RowPlace] = []
        var after = 0
        while true {
            let page = try await log.events(matching: events, after: after, limit: 1000)
            let insured = filter.insured == nil ? [:] : try await people.insured(ofAll: page)
            for event in page where filter.insured == nil || insured[event.stream] == filter.insured {
                if case .position(let end) = moment, event.position ?? 0 > end { continue }
                places.append(RowPlace(createdAt: event.entry.at, appointment: event.stream.appointment))
            }
            guard page.count == 1000, let last = page.last?.position else { return places.sorted() }
            after = last
        }
    }

    /// Who asked for an appointment that the view does not have.
    func insured(of history: [RecordedEvent]) async throws(EventStoreError) -> InsuredID? {
        guard let first = history.first else { return nil }
        return try await people.insured(of: first)
    }
}

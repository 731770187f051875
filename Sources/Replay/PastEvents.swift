import Appointments
package import EventStore
package import Projections

/// What past lists are made of where the view lacks events: it is held, has parked an appointment, or lags.
package struct PastEvents: Sendable {
    private let log: any AuditLog
    private let people: PersonResolver
    private let progress: ViewProgress

    /// - Parameter log: the events of the store, and not of a copy that may lag.
    /// - Parameter people: says who asked, where the view does not.
    /// - Parameter progress: tells what the view has.
    package init(log: any AuditLog, people: PersonResolver, progress: ViewProgress) {
        (self.log, self.people, self.progress) = (log, people, progress)
    }

    /// What of them the view has.
    func coverage() async throws(EventStoreError) -> ViewProgress.Coverage { try await progress.coverage() }

    /// The places of the appointments that the view may lack and that may be on a list, in the order of lists.
    ///
    /// One that can't be read, or whose person can't be opened, is on no list: it is parked, and `verify` names it.
    func begun(
        _ filter: RowFilter, beyond coverage: ViewProgress.Coverage, in store: any StreamReader
    ) async throws(EventStoreError) -> [RowPlace] {
        var first: [RecordedEvent] = []
        for appointment in coverage.parked {
            let events = try await unlessDamaged { () throws(EventStoreError) in
                try await store.read(appointment.stream)
            }
            first += events?.prefix(1) ?? []
        }
        if var after = coverage.unseenAfter {
            var events = EventFilter(type: EventType.requested.rawValue, country: filter.country?.code)
            (events.from, events.to) = (filter.from, filter.to)
            while true {
                let page = try await log.events(matching: events, after: after, limit: 1000)
                first += page
                guard page.count == 1000, let last = page.last?.position else { break }
                after = last
            }
        }
        first.removeAll { event in
            filter.country.map { $0.code != event.entry.country } ?? false
                || filter.from.map { event.entry.at < $0 } ?? false || filter.to.map { event.entry.at > $0 } ?? false
        }
        let insured = filter.insured == nil ? [:] : try await people.persons(of: first).insured
        return Set(
            first.filter { filter.insured == nil || insured[$0.stream] == filter.insured }
                .map { RowPlace(createdAt: $0.entry.at, appointment: $0.stream.appointment) }
        ).sorted()
    }

    /// Who asked for an appointment that the view does not have; nil also where that can't be opened.
    func insured(of history: [RecordedEvent]) async throws(EventStoreError) -> InsuredID? {
        try await people.persons(of: Array(history.prefix(1))).insured.values.first
    }
}

package import Appointments
package import EventStore

/// Brings the appointments view up to the feed, batch by batch, when it is not written with the append itself.
///
/// Rows, parked events and checkpoint are written together. An event that can't be taken in parks its appointment;
/// the others move on.
package struct ProjectionRunner: Sendable {
    package static let projection = ConsumerName(
        AppointmentProjection.name, number: AppointmentProjection.number)

    private let feed: (any EventFeed)?
    private let store: any StreamReader
    private let views: any ConsumerStore
    private let people: PersonResolver

    /// - Parameter feed: what `step` follows; nil where a change stream brings the events to `take`.
    package init(
        feed: (any EventFeed)?, store: any StreamReader, views: any ConsumerStore, people: PersonResolver
    ) {
        (self.feed, self.store, self.views, self.people) = (feed, store, views, people)
    }

    /// Takes in the next batch of the feed.
    ///
    /// - Returns: how many events the batch had; 0 when the view is up to the feed.
    /// - Throws: `unavailable`; nothing was written then, and the same batch comes again.
    package func step(now: Timestamp, limit: Int = 1000) async throws(EventStoreError) -> Int {
        guard let feed else { throw .noFeed }
        let checkpoint = try await views.checkpoint(of: Self.projection)
        let batch = try await feed.events(after: checkpoint, limit: limit)
        guard let last = batch.last?.position else { return 0 }
        let parked = try await views.parked(by: Self.projection)
        var commit = try await take(in: batch, parked: parked, now: now)
        commit.checkpoint = last
        _ = try await views.commit(commit, of: Self.projection, expecting: checkpoint)
        return batch.count
    }

    /// Works out what a batch changes, whatever order it came in. The rows are ordered by id.
    ///
    /// - Parameter parked: what is parked: what comes of these appointments waits as well.
    package func take(
        in batch: [RecordedEvent], parked: [ParkedEvent], now: Timestamp
    ) async throws(EventStoreError) -> ProjectionCommit {
        let appointments = Set(batch.map(\.stream.appointment)).sorted()
        let held = try await views.rows(of: appointments)
        let parked = Set(parked.map(\.appointment))
        var commit = ProjectionCommit(checkpoint: 0)
        for appointment in appointments {
            let events = batch.filter { $0.stream == appointment.stream }.sorted { $0.version < $1.version }
            if parked.contains(appointment) {
                commit.parked += events.map { $0.parked(Self.waiting, at: now) }
                continue
            }
            try await take(in: events, of: appointment, row: held[appointment], now: now, commit: &commit)
        }
        return commit
    }

    private func take(
        in events: [RecordedEvent], of appointment: AppointmentID, row held: AppointmentRow?, now: Timestamp,
        commit: inout ProjectionCommit
    ) async throws(EventStoreError) {
        var row = held
        var queue = events[...]
        while let event = queue.popFirst() {
            switch Verdict(of: event, holding: row?.head) {
            case .duplicate: continue
            case .gap(let version):
                do throws(EventStoreError) {
                    let missing = try await missing(of: appointment, from: version)
                    // What is left of the batch comes again as duplicates, unless the store lacks it.
                    queue = missing + [event] + queue
                } catch {
                    try error.throwIfUnavailable()
                    park(event, and: queue, because: error.message)
                    queue = []
                }
            case .conflict:
                park(event, and: queue, because: "conflict: another event was applied as this version")
                queue = []
            case .accept:
                do throws(EventStoreError) {
                    let insured = event.version == 1 ? try await people.insured(of: event) : nil
                    row = try AppointmentProjection.project(event, onto: row, insured: insured)
                } catch {
                    try error.throwIfUnavailable()
                    park(event, and: queue, because: error.message)
                    queue = []
                }
            }
        }
        if let row, row != held { commit.rows.append(row) }

        func park(_ event: RecordedEvent, and later: ArraySlice<RecordedEvent>, because reason: String) {
            commit.parked.append(event.parked(reason, at: now))
            commit.parked += later.filter { $0.version > event.version }.map { $0.parked(Self.waiting, at: now) }
        }
    }

    /// Folds a parked appointment anew from the store and lets it go on, once what parked it was mended.
    ///
    /// - Returns: what parks it still; nil when it is up to its events.
    /// - Throws: `unavailable`, or `corrupt` when the store does not give its events out.
    package func retry(_ appointment: AppointmentID, now: Timestamp) async throws(EventStoreError) -> ParkedEvent? {
        let events = try await store.read(appointment.stream)
        var commit = ProjectionCommit(checkpoint: 0)
        try await take(in: events, of: appointment, row: nil, now: now, commit: &commit)
        try await views.put(commit.rows, parking: [], by: Self.projection)
        // What was appended and parked since the events were read stays parked, and has its turn next time.
        if let row = commit.rows.last {
            try await views.unpark(appointment, upTo: row.version, from: Self.projection)
        }
        return commit.parked.first
    }

    private static let waiting = "waits behind a parked event"

    /// The events of an appointment from a version on.
    ///
    /// - Throws: `unavailable`, or `corrupt` also when the store lacks that version.
    private func missing(
        of appointment: AppointmentID, from version: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        let events = try await store.read(appointment.stream, from: version)
        guard events.first?.version == version else {
            throw EventStoreError(.corrupt, message: "version \(version) is missing from the store")
        }
        return events
    }
}

extension EventStoreError {
    /// Somebody was to follow a feed and was given none.
    package static var noFeed: EventStoreError {
        EventStoreError(.invalid, message: "there is no feed to follow here: a change stream brings the events")
    }
}

extension AppointmentRow {
    /// Version and leaf of the last event in the row.
    package var head: StreamHead { StreamHead(version: version, leaf: leaf) }
}

extension RecordedEvent {
    fileprivate func parked(_ reason: String, at now: Timestamp) -> ParkedEvent {
        ParkedEvent(appointment: stream.appointment, version: version, reason: reason, at: now)
    }
}

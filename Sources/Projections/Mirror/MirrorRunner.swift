import Appointments
package import EventStore

/// Brings a mirror up to a feed, batch by batch. Hash, version and `previous` of every event are checked before it is
/// written, whatever order they come in; entries, rows and checkpoint are written together.
///
/// An event that contradicts what the mirror holds is kept beside it as a conflict; its appointment stands still in the
/// mirror, and the others move on.
package struct MirrorRunner: Sendable {
    private let feed: any EventFeed
    private let store: any StreamReader
    private let mirror: any MirrorStore
    private let people: PersonResolver

    /// - Parameter store: where events are fetched from that have not come yet while a later one has.
    package init(
        feed: any EventFeed, store: any StreamReader, mirror: any MirrorStore, people: PersonResolver
    ) {
        (self.feed, self.store, self.mirror, self.people) = (feed, store, mirror, people)
    }

    /// Takes in the next batch of the feed.
    ///
    /// - Returns: how many events the batch had; 0 when the mirror is up to the feed.
    /// - Throws: `unavailable`; the same batch comes again.
    package func step(now: Timestamp, limit: Int = 1000) async throws(EventStoreError) -> Int {
        let state = try await mirror.state()
        let events = try await feed.events(after: state.checkpoint, limit: limit)
        guard let last = events.last?.position else { return 0 }
        _ = try await take(in: events, state: state, checkpoint: last, now: now)
        return events.count
    }

    /// Takes in records of a change stream, which has no checkpoint here.
    ///
    /// - Throws: `unavailable`, also when another worker was faster; the records are to come again.
    package func take(in records: [RecordedEvent], now: Timestamp) async throws(EventStoreError) {
        let state = try await mirror.state()
        guard try await take(in: records, state: state, checkpoint: state.checkpoint, now: now) else {
            throw EventStoreError(.unavailable, message: "another worker moved the mirror: take the records in again")
        }
    }

    /// Takes in all that the feed holds and the mirror does not, wherever the mirror believes to be: after it lost
    /// entries that the feed's checkpoint had passed.
    ///
    /// - Parameter progress: told the position of the feed after each batch.
    /// - Throws: `unavailable`; what was written stays, and a next run passes over it.
    package func backfill(
        after position: Int = 0, now: Timestamp, limit: Int = 1000, progress: (Int) -> Void = { _ in }
    ) async throws(EventStoreError) {
        var position = position
        while true {
            let events = try await feed.events(after: position, limit: limit)
            guard let last = events.last?.position else { return }
            let state = try await mirror.state()
            // What the feed's reader has passed over is part of it only if this backfill has looked at it.
            let checkpoint = position <= state.checkpoint ? max(state.checkpoint, last) : state.checkpoint
            guard try await take(in: events, state: state, checkpoint: checkpoint, now: now) else { continue }
            position = last
            progress(position)
        }
    }

    private func take(
        in events: [RecordedEvent], state: MirrorState, checkpoint: Int, now: Timestamp
    ) async throws(EventStoreError) -> Bool {
        var held = try await mirror.streams(Set(events.map(\.stream)).sorted())
        let insured = try await insured(of: events)
        var batch = MirrorBatch(checkpoint: checkpoint)
        var moved: Set<StreamID> = []
        var earlier: [RecordedEvent] = []
        // In the order in which they came: it becomes the order of positions.
        var queue = events[...]
        while let record = queue.popFirst() {
            guard let event = try await whole(record) else {
                batch.conflicts.append(
                    MirrorConflict(event: record, reason: "the entry does not hash to its leaf", at: now))
                continue
            }
            switch Verdict(of: event, holding: held[event.stream]?.head) {
            case .duplicate: earlier.append(event)
            case .gap(let version):
                let missing = try await store.read(event.stream, from: version)
                guard missing.first?.version == version else {
                    batch.conflicts.append(
                        MirrorConflict(event: event, reason: "version \(version) before it is missing", at: now))
                    continue
                }
                queue = missing.prefix { $0.version < event.version } + [event] + queue
            case .conflict:
                batch.conflicts.append(
                    MirrorConflict(event: event, reason: "the mirror holds another history", at: now))
            case .accept:
                let row = try await row(after: event, onto: held[event.stream]?.row, knowing: insured)
                held[event.stream] = MirroredStream(
                    head: StreamHead(version: event.version, leaf: event.leaf), row: row)
                moved.insert(event.stream)
                batch.entries.append(event)
            }
        }
        batch.rows = moved.sorted().compactMap { held[$0]?.row }
        try await compare(earlier, adding: batch.entries, to: &batch, now: now)
        return try await mirror.append(batch, expecting: state)
    }

    /// Compares events that the mirror has already with what it has.
    private func compare(
        _ earlier: [RecordedEvent], adding entries: [RecordedEvent], to batch: inout MirrorBatch, now: Timestamp
    ) async throws(EventStoreError) {
        guard !earlier.isEmpty else { return }
        var leaves = try await mirror.entries(at: Set(earlier.map(\.place)).sorted()).mapValues(\.leaf)
        for entry in entries { leaves[entry.place] = entry.leaf }
        for event in earlier where leaves[event.place] != event.leaf {
            batch.conflicts.append(
                MirrorConflict(event: event, reason: MirrorConflict.taken, at: now))
        }
    }

    /// The event if it hashes to its leaf; else what the store holds in its place, if that does.
    private func whole(_ event: RecordedEvent) async throws(EventStoreError) -> RecordedEvent? {
        if Hash.leaf(of: event.entry.bytes) == event.leaf { return event }
        do throws(EventStoreError) {
            let stored = try await store.read(event.stream, from: event.version).first
            return stored.flatMap { Hash.leaf(of: $0.entry.bytes) == $0.leaf ? $0 : nil }
        } catch {
            if error.code == .unavailable { throw error }
            return nil
        }
    }

    /// The row after an event; nil when it can't be folded, which keeps no entry out of the mirror.
    private func row(
        after event: RecordedEvent, onto row: AppointmentRow?, knowing known: [StreamID: InsuredID]
    ) async throws(EventStoreError) -> AppointmentRow? {
        if event.version > 1, row == nil { return nil }
        do throws(EventStoreError) {
            var insured: InsuredID?
            if event.version == 1 {
                insured = known[event.stream]
                if insured == nil { insured = try await people.insured(of: event) }
            }
            return try AppointmentProjection.project(event, onto: row, insured: insured)
        } catch {
            if error.code == .unavailable { throw error }
            return nil
        }
    }

    /// Who asked, looked up in one go; none where one of them does not open, which is then met one by one.
    private func insured(of events: [RecordedEvent]) async throws(EventStoreError) -> [StreamID: InsuredID] {
        do throws(EventStoreError) {
            return try await people.insured(ofAll: events)
        } catch {
            if error.code == .unavailable { throw error }
            return [:]
        }
    }
}

extension RecordedEvent {
    /// Stream and version.
    package var place: EventPlace { EventPlace(stream: stream, version: version) }
}

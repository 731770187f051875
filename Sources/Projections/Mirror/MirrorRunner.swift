import Appointments
package import EventStore

/// What a mirror was given in one step.
package struct MirrorStep: Sendable {
    /// How many events it was given.
    package let events: Int
    /// How many events contradict it and are set aside.
    package let conflicts: Int
}

/// Brings a mirror up to a feed, batch by batch. Hash, version and `previous` of every event are checked before it is
/// written, whatever order they come in; entries, rows and checkpoint are written together.
///
/// An event that contradicts what the mirror holds is set aside as a conflict; its appointment stands still in the
/// mirror, and the others move on.
package struct MirrorRunner: Sendable {
    let feed: (any EventFeed)?
    private let store: any StreamReader
    let mirror: any MirrorStore
    private let people: PersonResolver
    let gate: MirrorGate

    /// - Parameters:
    ///   - feed: what `step` follows; nil where a change stream brings the events to `take`.
    ///   - store: where events are fetched from that have not come yet while a later one has.
    ///   - identity: the ledger whose mirror this has to be; without it whose it is goes unasked.
    package init(
        feed: (any EventFeed)?, store: any StreamReader, mirror: any MirrorStore, people: PersonResolver,
        identity: LedgerIdentity? = nil
    ) {
        (self.feed, self.store, self.mirror, self.people) = (feed, store, mirror, people)
        gate = MirrorGate(mirror, of: identity, store: store)
    }

    /// Takes in the next batch of the feed.
    ///
    /// - Returns: what the batch had; no events when the mirror is up to the feed.
    /// - Throws: `unavailable`; the same batch comes again. `invalid`, with what to do, when the mirror does not follow
    ///   this ledger.
    package func step(now: Timestamp, limit: Int = 1000) async throws(EventStoreError) -> MirrorStep {
        guard let feed else { throw .noFeed }
        let state = try await gate.pass(feed: feed)
        let events = try await feed.events(after: state.checkpoint, limit: limit)
        guard let last = events.last?.position else { return MirrorStep(events: 0, conflicts: 0) }
        let conflicts = try await take(in: events, state: state, checkpoint: last, now: now)
        return MirrorStep(events: events.count, conflicts: conflicts ?? 0)
    }

    /// Takes in records of a change stream, which has no checkpoint here.
    ///
    /// - Returns: how many of them contradict the mirror and are set aside.
    /// - Throws: `unavailable`, also when another worker was faster; the records are to come again. `invalid`, with
    ///   what to do, when the mirror is not this ledger's.
    @discardableResult
    package func take(in records: [RecordedEvent], now: Timestamp) async throws(EventStoreError) -> Int {
        let state = try await gate.pass(feed: nil)
        guard let conflicts = try await take(in: records, state: state, checkpoint: nil, now: now) else {
            throw EventStoreError(.unavailable, message: "another worker moved the mirror: take the records in again")
        }
        return conflicts
    }

    /// - Returns: how many events are kept as conflicts; nil when another worker moved the mirror.
    private func take(
        in events: [RecordedEvent], state: MirrorState, checkpoint: Int?, now: Timestamp
    ) async throws(EventStoreError) -> Int? {
        let prepared = try await prepare(events, at: state, behind: nil, checkpoint: checkpoint, now: now)
        guard try await mirror.append(prepared.batch, expecting: state) else { return nil }
        return prepared.batch.conflicts.count
    }
}

// MARK: - Batches

extension MirrorRunner {
    /// A batch that can be written once the mirror stands where it was prepared for.
    struct PreparedBatch: Sendable {
        let state: MirrorState
        let batch: MirrorBatch
        /// What the mirror will hold of the streams that the batch's events belong to.
        fileprivate let held: [StreamID: MirroredStream]

        /// Whether the mirror holds all of it already, and has read as far.
        var isHeld: Bool {
            batch.entries.isEmpty && batch.conflicts.isEmpty && batch.checkpoint == state.checkpoint
        }

        /// Where the mirror will stand, unless something turns out to be in an entry's place.
        var after: MirrorState {
            MirrorState(
                position: state.position + batch.entries.count, checkpoint: batch.checkpoint, owner: state.owner)
        }
    }

    /// A batch while its events are compared with the mirror.
    private struct Preparation {
        let now: Timestamp
        var persons: Persons
        var held: [StreamID: MirroredStream]
        var moved: Set<StreamID> = []
        /// Nil while all events so far are taken in as they came: copying each would cost more than comparing it.
        var entries: [RecordedEvent]?
        var earlier: [RecordedEvent] = []
        var conflicts: [MirrorConflict] = []

        mutating func keep(_ event: RecordedEvent, _ reason: String) {
            conflicts.append(MirrorConflict(event: event, reason: reason, at: now))
        }
    }

    /// Compares events with what the mirror holds, and folds their rows.
    ///
    /// - Parameters:
    ///   - state: where the mirror stands when the batch is to be written.
    ///   - ahead: the batch that is written before it, and may be under way.
    ///   - checkpoint: how far the feed is read with it; nil where the mirror's own positions are all the order there
    ///     is, as with a change stream.
    func prepare(
        _ events: [RecordedEvent], at state: MirrorState, behind ahead: PreparedBatch?, checkpoint: Int?, now: Timestamp
    ) async throws(EventStoreError) -> PreparedBatch {
        let held = try await streams(of: events, behind: ahead)
        var work = Preparation(now: now, persons: try await people.persons(of: events), held: held)
        // In the order in which they came: it becomes the order of positions.
        for index in events.indices {
            let verdict = Verdict(of: events[index], holding: work.held[events[index].stream]?.head)
            if events[index].isChecked, verdict == .accept {
                work.entries?.append(events[index])
                accept(events[index], into: &work)
            } else {
                if work.entries == nil { work.entries = Array(events[..<index]) }
                try await take(events[index], into: &work)
            }
        }
        let count = (work.entries ?? events).count
        var batch = MirrorBatch(checkpoint: checkpoint ?? max(state.checkpoint, state.position + count))
        (batch.entries, batch.conflicts) = (work.entries ?? events, work.conflicts)
        batch.rows = work.moved.sorted().compactMap { work.held[$0]?.row }
        try await compare(work.earlier, behind: ahead, adding: batch.entries, to: &batch, now: now)
        return PreparedBatch(state: state, batch: batch, held: work.held)
    }

    /// What the mirror holds of the streams of some events, and of the batch before them will hold.
    private func streams(
        of events: [RecordedEvent], behind ahead: PreparedBatch?
    ) async throws(EventStoreError) -> [StreamID: MirroredStream] {
        var underWay: [StreamID: MirroredStream] = [:]
        var wanted: Set<StreamID> = []
        for index in events.indices {
            let stream = events[index].stream
            if let held = ahead?.held[stream] { underWay[stream] = held } else { wanted.insert(stream) }
        }
        let held = try await mirror.streams(wanted.sorted())
        return underWay.isEmpty ? held : held.merging(underWay) { $1 }
    }

    /// Takes in an event that follows what is held of its stream.
    ///
    /// One that can't be folded is not kept out of the mirror: it has no row there.
    private func accept(_ event: RecordedEvent, into work: inout Preparation) {
        var fold = Fold(event.stream, onto: work.held[event.stream]?.row, version: event.version - 1)
        fold.take(event, work.persons, by: .appointments)
        work.held[event.stream] = MirroredStream(
            head: StreamHead(version: event.version, leaf: event.leaf), row: fold.damage == nil ? fold.row : nil)
        work.moved.insert(event.stream)
    }

    /// Takes in an event of which nothing is known yet, and those that are missing before it.
    private func take(
        _ record: RecordedEvent, into work: inout Preparation, isFilled: Bool = false
    ) async throws(EventStoreError) {
        guard let event = try await whole(record) else {
            return work.keep(record, "the entry does not hash to its leaf")
        }
        // It may be none of those that were looked up together.
        if event.version == 1, work.persons.insured[event.stream] == nil {
            work.persons.replace(event.stream, with: try await people.persons(of: [event]))
        }
        switch Verdict(of: event, holding: work.held[event.stream]?.head) {
        case .accept:
            work.entries?.append(event)
            accept(event, into: &work)
        case .duplicate: work.earlier.append(event)
        case .conflict: work.keep(event, "the mirror holds another history")
        case .gap(let version):
            let missing = isFilled ? [] : try await store.read(event.stream, from: version)
            guard missing.first?.version == version else {
                return work.keep(event, "version \(version) before it is missing")
            }
            for earlier in missing.prefix(while: { $0.version < event.version }) {
                try await take(earlier, into: &work, isFilled: true)
            }
            try await take(event, into: &work, isFilled: true)
        }
    }

    /// Compares events that the mirror has already with what it has.
    private func compare(
        _ earlier: [RecordedEvent], behind ahead: PreparedBatch?, adding entries: [RecordedEvent],
        to batch: inout MirrorBatch, now: Timestamp
    ) async throws(EventStoreError) {
        guard !earlier.isEmpty else { return }
        var leaves = try await mirror.entries(at: Set(earlier.map(\.place)).sorted()).mapValues(\.leaf)
        for entry in ahead?.batch.entries ?? [] { leaves[entry.place] = entry.leaf }
        let own = Dictionary(entries.map { ($0.place, $0.leaf) }) { first, _ in first }
        // Where nothing stands by now, an older copy was put back since the streams were read, or the entry is lost.
        let gone = earlier.filter { own[$0.place] == nil && leaves[$0.place] == nil }.map(\.stream)
        let left = gone.isEmpty ? [:] : try await mirror.streams(Set(gone).sorted())
        for event in earlier where own[event.place] != event.leaf {
            let isPutBack = leaves[event.place] == nil && left[event.stream]?.head.version ?? 0 < event.version
            if leaves[event.place] == event.leaf || isPutBack && own[event.place] == nil {
                batch.held[event.place] = event.leaf
            } else {
                batch.conflicts.append(MirrorConflict(event: event, reason: MirrorConflict.taken, at: now))
            }
        }
    }

    /// The event if it hashes to its leaf; else what the store holds in its place, if that does.
    private func whole(_ event: RecordedEvent) async throws(EventStoreError) -> RecordedEvent? {
        if event.isChecked || Hash.leaf(of: event.entry.bytes) == event.leaf { return event }
        let stored = try await unlessDamaged { () throws(EventStoreError) in
            try await store.read(event.stream, from: event.version).first
        }
        guard let stored = stored ?? nil, Hash.leaf(of: stored.entry.bytes) == stored.leaf else { return nil }
        return stored
    }
}

extension RecordedEvent {
    /// Stream and version.
    package var place: EventPlace { EventPlace(stream: stream, version: version) }
}

package import Appointments
package import EventStore
package import Projections
import Synchronization

/// The reference for a mirror: all entries and rows in memory.
package final class MemoryMirror: MirrorStore, EventFeed, StreamReader, AuditLog, RowReader, RowScan, StreamScan {
    /// All that a mirror holds, as a value: a backup of it can be put back.
    package struct Contents: Sendable {
        package fileprivate(set) var entries: [RecordedEvent] = []
        /// The tree over the entries.
        fileprivate(set) var tree = MemoryTree()
        package fileprivate(set) var rows: [AppointmentID: AppointmentRow] = [:]
        package fileprivate(set) var conflicts: [MirrorConflict] = []
        /// What a rewind has moved out, each with the position that it had.
        package fileprivate(set) var setAside: [RecordedEvent] = []
        fileprivate var checkpoint = 0
        fileprivate var owner: LedgerIdentity?
        fileprivate var streams: [StreamID: [MirroredEntry]] = [:]

        fileprivate var state: MirrorState {
            MirrorState(position: entries.count, checkpoint: checkpoint, owner: owner)
        }

        fileprivate mutating func keep(_ conflict: MirrorConflict) {
            if !conflicts.contains(where: { $0.event.leaf == conflict.event.leaf }) { conflicts.append(conflict) }
        }
    }

    private let state = Mutex(Contents())

    package init() {}

    package var contents: Contents { state.withLock { $0 } }

    /// Puts a backup back.
    package func restore(_ contents: Contents) { state.withLock { $0 = contents } }

    func remakeTree() { state.withLock { $0.tree = MemoryTree($0.entries) } }

    package func state() async throws(EventStoreError) -> MirrorState {
        state.withLock { $0.state }
    }

    package func streams(
        _ streams: [StreamID]
    ) async throws(EventStoreError) -> [StreamID: MirroredStream] {
        state.withLock { state in
            var held: [StreamID: MirroredStream] = [:]
            for stream in streams {
                guard let entries = state.streams[stream] else { continue }
                held[stream] = MirroredStream(
                    head: StreamHead(version: entries.count, leaf: entries.last?.leaf),
                    row: state.rows[stream.appointment])
            }
            return held
        }
    }

    package func entries(at places: [EventPlace]) async throws(EventStoreError) -> [EventPlace: MirroredEntry] {
        state.withLock { state in
            var entries: [EventPlace: MirroredEntry] = [:]
            for place in places {
                guard let stream = state.streams[place.stream], stream.indices.contains(place.version - 1) else {
                    continue
                }
                entries[place] = stream[place.version - 1]
            }
            return entries
        }
    }

    package func append(
        _ batch: MirrorBatch, expecting expected: MirrorState
    ) async throws(EventStoreError) -> Bool {
        try state.withLock { (state) throws(EventStoreError) -> Bool in
            guard expected == state.state else { return false }
            let leaf = { (place: EventPlace) in state.streams[place.stream]?[safe: place.version - 1]?.leaf }
            guard batch.isFounded(leaf) else { return false }
            try batch.requireChain(leaf)
            var next = state
            var aside: Set<StreamID> = []
            for event in batch.entries {
                let held = next.streams[event.stream, default: []]
                if held[safe: event.version - 1]?.leaf == event.leaf { continue }
                if aside.contains(event.stream) || held.count >= event.version {
                    aside.insert(event.stream)
                    next.keep(MirrorConflict(event: event, reason: MirrorConflict.taken, at: event.entry.at))
                    continue
                }
                next.streams[event.stream] =
                    held + [
                        MirroredEntry(position: next.entries.count + 1, leaf: event.leaf)
                    ]
                let entry = RecordedEvent(
                    position: next.entries.count + 1, entry: event.entry, leaf: event.leaf, sealed: event.sealed)
                next.entries.append(entry)
                next.tree.append([entry])
            }
            for row in batch.rows { next.rows[row.appointment] = row }
            for conflict in batch.conflicts { next.keep(conflict) }
            next.checkpoint = batch.checkpoint
            state = next
            return true
        }
    }

    package func conflicts(limit: Int) async throws(EventStoreError) -> [MirrorConflict] {
        state.withLock { Array($0.conflicts.prefix(max(limit, 0))) }
    }

    package func places(after position: Int, limit: Int) async throws(EventStoreError) -> [MirroredPlace] {
        contents.entries.dropFirst(max(position, 0)).prefix(max(limit, 0)).map {
            MirroredPlace(position: $0.position ?? 0, place: $0.place, leaf: $0.leaf)
        }
    }

    package func conflictCount() async throws(EventStoreError) -> Int { state.withLock { $0.conflicts.count } }
}

// MARK: - Mending

extension MemoryMirror {
    package func mend(
        _ entries: [RecordedEvent], removing places: [MirroredPlace]
    ) async throws(EventStoreError) -> Bool {
        state.withLock { state in
            guard var log = state.log(without: places) else { return false }
            var held = Set(log.values.map(\.place))
            for event in entries {
                guard let position = event.position, log[position] == nil, held.insert(event.place).inserted else {
                    return false
                }
                log[position] = event
            }
            state.put(log)
            return true
        }
    }

    package func cut(
        _ places: [MirroredPlace], expecting expected: MirrorState
    ) async throws(EventStoreError) -> Bool {
        state.withLock { state in
            guard expected == state.state, let log = state.log(without: places) else { return false }
            state.put(log)
            return true
        }
    }

    package func mend(_ rows: [AppointmentID: MirroredFold]) async throws(EventStoreError) -> Set<AppointmentID> {
        state.withLock { state in
            var moved: Set<AppointmentID> = []
            for (appointment, fold) in rows {
                if state.streams[appointment.stream]?.count ?? 0 == fold.version {
                    state.rows[appointment] = fold.row
                } else {
                    moved.insert(appointment)
                }
            }
            return moved
        }
    }
}

// MARK: - Belonging

extension MemoryMirror {
    package func claim(
        for owner: LedgerIdentity, expecting expected: MirrorState
    ) async throws(EventStoreError) -> Bool {
        try state.withLock { (state) throws(EventStoreError) in
            guard expected == state.state else { return false }
            try owner.requireSameLedger(as: state.owner)
            state.owner = owner
            return true
        }
    }

    package func rewind(
        to position: Int, for owner: LedgerIdentity?, expecting expected: MirrorState
    ) async throws(EventStoreError) -> Int? {
        try state.withLock { (state) throws(EventStoreError) -> Int? in
            guard expected == state.state else { return nil }
            try owner?.requireSameLedger(as: state.owner)
            let moved = state.entries.filter { $0.position ?? 0 > position }
            state.setAside += moved
            let log = state.entries.filter { $0.position ?? 0 <= position }.map { ($0.position ?? 0, $0) }
            state.put(Dictionary(uniqueKeysWithValues: log))
            for event in moved { state.rows[event.stream.appointment] = nil }
            (state.owner, state.checkpoint) = (owner ?? state.owner, position)
            return moved.count
        }
    }
}

extension MemoryMirror.Contents {
    /// The entries by position without some; nil when these are not what stands there.
    fileprivate func log(without places: [MirroredPlace]) -> [Int: RecordedEvent]? {
        var log = Dictionary(uniqueKeysWithValues: entries.map { ($0.position ?? 0, $0) })
        for place in places {
            guard let event = log.removeValue(forKey: place.position), event.leaf == place.leaf else { return nil }
        }
        return log
    }

    fileprivate mutating func put(_ log: [Int: RecordedEvent]) {
        entries = log.sorted { $0.key < $1.key }.map(\.value)
        tree = MemoryTree(entries)
        let leaves = Set(entries.map(\.leaf))
        conflicts.removeAll { leaves.contains($0.event.leaf) }
        streams = [:]
        for event in entries {
            streams[event.stream, default: []].append(
                MirroredEntry(position: event.position ?? 0, leaf: event.leaf))
        }
    }
}

// MARK: - Reading

extension MemoryMirror {
    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        Array(contents.entries.dropFirst(max(position, 0)).prefix(max(limit, 0)))
    }

    package func head() async throws(EventStoreError) -> Int { contents.entries.count }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        contents.entries.filter { $0.stream == stream && $0.version >= version }
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        Array(contents.entries.dropFirst(max(position, 0)).lazy.filter(filter.matches).prefix(max(limit, 0)))
    }

    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        contents.rows.values.filter { range.contains($0.appointment.stream) }
            .sorted { $0.appointment < $1.appointment }
    }

    package func appointments(in range: StreamRange) async throws(EventStoreError) -> [AppointmentID] {
        contents.rows.keys.filter { range.contains($0.stream) }.sorted()
    }

    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        contents.rows[appointment]
    }

    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        var count = 0
        var last: StreamID?
        for (id, held) in contents.streams.sorted(by: { $0.key < $1.key }) where stream.map({ $0 < id }) ?? true {
            (last, count) = (id, count + held.count)
            if count >= events { break }
        }
        return last.map { StreamRange(after: stream, through: $0) }
    }

    package func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        contents.entries.filter { range.contains($0.stream) }.sorted { $0.place < $1.place }
    }

    package func counts() async throws(EventStoreError) -> [EventCount] { EventCount.count(contents.entries) }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

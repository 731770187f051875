package import EventStore
import Synchronization
package import TransparencyLog

/// The reference engine: all events in memory. Every rule of the contract is meant as it is written here.
package final class MemoryEventStore: EventStore, EventFeed, AuditLog {
    private struct State {
        var log: [RecordedEvent] = []
        var tree = MemoryTree()
        var streams: [StreamID: [RecordedEvent]] = [:]
        var identity: LedgerIdentity?
    }

    private let state = Mutex(State())

    package init() {}

    package func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        try appendNow(events, to: stream, expecting: expectation)
    }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        readNow(stream, from: version)
    }

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        eventsNow(after: position, limit: limit)
    }

    package func head() async throws(EventStoreError) -> Int { headNow }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        state.withLock { Array($0.log.dropFirst(max(position, 0)).lazy.filter(filter.matches).prefix(max(limit, 0))) }
    }

    package func counts() async throws(EventStoreError) -> [EventCount] {
        EventCount.count(state.withLock { $0.log })
    }
}

// MARK: - The same without waiting, for the simulator

extension MemoryEventStore {
    /// Appends immediately; the rules are those of `append`.
    package func appendNow(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) throws(EventStoreError) -> [RecordedEvent] {
        try state.withLock { (state) throws(EventStoreError) -> [RecordedEvent] in
            let stored = state.streams[stream, default: []]
            let head = stored.last.map { StreamHead(version: $0.version, leaf: $0.leaf) } ?? .empty
            switch try head.admit(events, to: stream, expecting: expectation) {
            case .write(let placed):
                let recorded = placed.enumerated().map { $1.recorded(at: state.log.count + 1 + $0) }
                state.log += recorded
                state.tree.append(recorded)
                state.streams[stream] = stored + recorded
                return recorded
            case .compare(let version):
                return try head.resolve(
                    events, to: stream, expecting: expectation, before: version > 1 ? stored[version - 2].leaf : nil,
                    stored: Array(stored[(version - 1)...]))
            }
        }
    }

    /// The position of the last event, immediately.
    package var headNow: Int { state.withLock { $0.log.count } }

    /// Reads a stream immediately.
    package func readNow(_ stream: StreamID, from version: Int = 1) -> [RecordedEvent] {
        state.withLock { Array($0.streams[stream, default: []].dropFirst(max(version, 1) - 1)) }
    }

    /// All streams by their ids, with how many events each has, immediately.
    package var streamLengths: [(StreamID, Int)] {
        state.withLock { state in state.streams.map { ($0.key, $0.value.count) } }.sorted { $0.0 < $1.0 }
    }

    /// Reads the feed immediately.
    package func eventsNow(after position: Int, limit: Int) -> [RecordedEvent] {
        state.withLock { Array($0.log.dropFirst(max(position, 0)).prefix(max(limit, 0))) }
    }

    /// The right edge of the tree, immediately.
    package var frontierNow: Frontier { treeNow.frontier }

    var treeNow: MemoryTree { state.withLock { $0.tree } }

    func remakeTree() { state.withLock { $0.tree = MemoryTree($0.log) } }

    /// Stored hashes of the tree, immediately.
    package func hashesNow(_ ranges: [HashRange]) -> [[Hash]] {
        state.withLock { state in ranges.map(state.tree.hashes) }
    }
}

extension MemoryEventStore: IdentityStore {
    package func identity() async throws(EventStoreError) -> LedgerIdentity? { state.withLock { $0.identity } }

    package func begin(
        _ next: LedgerIdentity, after before: LedgerIdentity?, at now: Timestamp
    ) async throws(EventStoreError) -> Bool {
        state.withLock { state in
            guard state.identity == before else { return false }
            state.identity = next
            return true
        }
    }

    package func lastMark() async throws(EventStoreError) -> LogMark {
        state.withLock { LogMark(position: $0.log.count, leaf: $0.log.last?.leaf) }
    }

    package func mark(at position: Int) async throws(EventStoreError) -> LogMark {
        state.withLock { state in
            LogMark(
                position: position,
                leaf: state.log.indices.contains(position - 1) ? state.log[position - 1].leaf : nil)
        }
    }
}

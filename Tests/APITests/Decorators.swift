import Appointments
import EventStore
import MemoryEngine
import Projections
import Synchronization

import enum EventStore.Expectation

/// A store that ends every call as the protocol says that it may end.
struct Failing: EventStore, AppointmentView {
    var error = EventStoreError(.unavailable, message: "the disk is gone")

    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] { throw error }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] { throw error }

    func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? { throw error }

    func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] { throw error }

    func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] { throw error }

    func count(_ filter: RowFilter) async throws(EventStoreError) -> Int { throw error }

    func counts() async throws(EventStoreError) -> [RowCount] { throw error }

    func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] { throw error }
}

/// A store whose appends wait until the gate is opened.
final class GatedStore: EventStore {
    private struct Gate {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let store = MemoryEventStore()
    private let gate = Mutex(Gate())

    /// How many appends wait.
    var waiting: Int { gate.withLock { $0.waiting.count } }

    /// Lets all appends through, now and later.
    func open() {
        let waiting = gate.withLock { gate in
            gate.isOpen = true
            defer { gate.waiting = [] }
            return gate.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent] {
        await withCheckedContinuation { continuation in
            let isOpen = gate.withLock { gate in
                if !gate.isOpen { gate.waiting.append(continuation) }
                return gate.isOpen
            }
            if isOpen { continuation.resume() }
        }
        return try await store.append(events, to: stream, expecting: expectation)
    }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await store.read(stream, from: version)
    }
}

/// API keys that count how often a secret is looked up.
final class CountedKeys: APIKeys {
    private let keys = MemoryAPIKeys()
    private let count = Mutex(0)

    var lookUps: Int { count.withLock { $0 } }

    func carryOut(
        _ command: KeyCommand, by actor: String, at now: Timestamp
    ) async throws(EventStoreError) -> [KeyRecord] { try await keys.carryOut(command, by: actor, at: now) }

    func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        count.withLock { $0 += 1 }
        return try await keys.key(digest: digest)
    }

    func list() async throws(EventStoreError) -> [APIKey] { try await keys.list() }

    func records() async throws(EventStoreError) -> [ChainedRecord] { try await keys.records() }
}

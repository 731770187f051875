package import Appointments
package import EventStore
package import Projections
import Synchronization

/// Sets of views whose worker dies: after so many changes nothing is done any more.
package final class FailingSets: ViewCopies {
    private let inner: any ViewCopies
    private let left: Mutex<Int>

    package init(_ inner: any ViewCopies, after changes: Int) {
        self.inner = inner
        left = Mutex(changes)
    }

    private func spend() throws(EventStoreError) {
        let isAlive = left.withLock { left in
            left -= 1
            return left >= 0
        }
        if !isAlive { throw EventStoreError(.unavailable, message: "the worker was killed") }
    }

    package func sets() async throws(EventStoreError) -> [ViewCopy] { try await inner.sets() }

    package func begin(
        _ name: String, of projection: ConsumerName, head: Int, now: Timestamp
    ) async throws(EventStoreError) -> ViewCopy {
        try spend()
        return try await inner.begin(name, of: projection, head: head, now: now)
    }

    package func fill(
        _ set: ViewCopy, with rows: [AppointmentRow], through stream: StreamID, events: Int
    ) async throws(EventStoreError) -> ViewCopy {
        try spend()
        return try await inner.fill(set, with: rows, through: stream, events: events)
    }

    package func seal(_ set: ViewCopy) async throws(EventStoreError) {
        try spend()
        try await inner.seal(set)
    }

    package func follow(_ name: String, with projection: Projection, limit: Int) async throws(EventStoreError) -> Int {
        try spend()
        return try await inner.follow(name, with: projection, limit: limit)
    }

    package func compare(_ name: String, limit: Int) async throws(EventStoreError) -> SetComparison {
        try await inner.compare(name, limit: limit)
    }

    package func swap(
        _ name: String, with projection: Projection, keepingAs kept: String?, coversAll: Bool, now: Timestamp
    ) async throws(EventStoreError) -> SwapOutcome {
        try spend()
        return try await inner.swap(
            name, with: projection, keepingAs: kept, coversAll: coversAll, now: now)
    }

    package func mend(
        _ appointment: AppointmentID, with row: AppointmentRow?, of projection: ConsumerName
    ) async throws(EventStoreError) -> Bool {
        try await inner.mend(appointment, with: row, of: projection)
    }

    package func removeStray(_ key: String) async throws(EventStoreError) -> Bool { try await inner.removeStray(key) }

    package func drop(_ name: String) async throws(EventStoreError) -> Bool { try await inner.drop(name) }
}

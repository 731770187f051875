package import Appointments
package import EventStore
package import Projections
import Synchronization

/// The reference for the view: all rows in memory, every list sorted when it is asked for.
package final class MemoryAppointmentView: AppointmentView, ConsumerStore, RowScan {
    /// All that the view holds, as a value: it can be looked at whole, and put in the place of another.
    package struct Contents: Sendable {
        package var rows: [AppointmentID: AppointmentRow] = [:]
        package var checkpoints: [ConsumerName: Int] = [:]
        package var parked: [ConsumerName: [ParkedEvent]] = [:]
        package var paused: [ConsumerName: Timestamp] = [:]
        /// The sets next to the live one, with their rows.
        package internal(set) var sets: [String: (set: ViewCopy, rows: [AppointmentID: AppointmentRow])] = [:]
    }

    private let state = Mutex(Contents())

    package init() {}

    package var contents: Contents { state.withLock { $0 } }

    /// Changes what the view holds in one step, as a swap after a rebuild does.
    package func change(_ change: (inout Contents) -> Void) { state.withLock { change(&$0) } }

    /// Changes what the view holds in one step, unless the change fails: then all stays as it was.
    func changing<Value: Sendable>(
        _ change: (inout Contents) throws(EventStoreError) -> Value
    ) throws(EventStoreError) -> Value {
        try state.withLock { (state) throws(EventStoreError) -> Value in
            var next = state
            let value = try change(&next)
            state = next
            return value
        }
    }

    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        rowNow(appointment)
    }

    /// The row of an appointment, immediately.
    package func rowNow(_ appointment: AppointmentID) -> AppointmentRow? { state.withLock { $0.rows[appointment] } }

    package func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        let behind = sorted(filter).filter { row in place.map { row.place > $0 } ?? true }
        return Array(behind.dropFirst(max(offset, 0)).prefix(max(limit, 0)))
    }

    package func count(_ filter: RowFilter) async throws(EventStoreError) -> Int { sorted(filter).count }

    package func counts() async throws(EventStoreError) -> [RowCount] {
        Country.allCases.flatMap { country in
            AppointmentStatus.allCases.compactMap { status in
                let count = sorted(RowFilter(status: status, country: country)).count
                return count == 0 ? nil : RowCount(country: country, status: status, count: count)
            }
        }
    }

    package func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        let rows = sorted(RowFilter(status: status)).reversed()
            .filter { row in quiet.contains(row.updatedAt) && (place.map { row.place < $0 } ?? true) }
        return Array(rows.prefix(max(limit, 0)))
    }

    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        state.withLock { state in state.rows.values.filter { range.contains($0.appointment.stream) } }
            .sorted { $0.appointment < $1.appointment }
    }

    private func sorted(_ filter: RowFilter) -> [AppointmentRow] {
        state.withLock { $0.rows.values.filter(filter.matches).sorted { $0.place < $1.place } }
    }

    // MARK: ConsumerStore

    package func checkpoint(of projection: ConsumerName) async throws(EventStoreError) -> Int {
        state.withLock { $0.checkpoints[projection, default: 0] }
    }

    package func rows(of appointments: [AppointmentID]) async throws(EventStoreError) -> [AppointmentID: AppointmentRow]
    {
        state.withLock { state in
            Dictionary(uniqueKeysWithValues: Set(appointments).compactMap { id in state.rows[id].map { (id, $0) } })
        }
    }

    package func commit(
        _ commit: ProjectionCommit, of projection: ConsumerName, expecting checkpoint: Int
    ) async throws(EventStoreError) -> Bool {
        state.withLock { state in
            guard state.checkpoints[projection, default: 0] == checkpoint else { return false }
            state.put(commit.rows, parking: commit.parked, by: projection)
            state.checkpoints[projection] = commit.checkpoint
            return true
        }
    }

    package func put(
        _ rows: [AppointmentRow], parking parked: [ParkedEvent], by projection: ConsumerName
    ) async throws(EventStoreError) {
        state.withLock { $0.put(rows, parking: parked, by: projection) }
    }

    package func parked(by projection: ConsumerName) async throws(EventStoreError) -> [ParkedEvent] {
        let all = state.withLock { $0.parked[projection, default: []] }
        let first = Dictionary(grouping: all, by: \.appointment).compactMapValues { events in
            events.min { $0.version < $1.version }
        }
        return first.values.sorted { $0.appointment < $1.appointment }
    }

    package func unpark(
        _ appointment: AppointmentID, upTo version: Int, from projection: ConsumerName
    ) async throws(EventStoreError) {
        state.withLock { state in
            state.parked[projection]?.removeAll { $0.appointment == appointment && $0.version <= version }
        }
    }
}

extension MemoryAppointmentView.Contents {
    fileprivate mutating func put(
        _ rows: [AppointmentRow], parking events: [ParkedEvent], by projection: ConsumerName
    ) {
        for row in rows where row.version >= self.rows[row.appointment]?.version ?? 0 {
            self.rows[row.appointment] = row
        }
        for event in events
        where !parked[projection, default: []].contains(where: {
            ($0.appointment, $0.version) == (event.appointment, event.version)
        }) { parked[projection, default: []].append(event) }
    }
}

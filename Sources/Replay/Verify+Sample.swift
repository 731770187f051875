import Appointments
package import EventStore
import Projections

extension Verify {
    /// Verifies some appointments from their first event to their row, chosen by chance: the longer its history, the
    /// likelier is an appointment chosen. For a look between two whole runs; it proves nothing of the others.
    ///
    /// - Parameter random: gives a number of a range.
    /// - Throws: `unavailable`.
    package func sample(
        _ count: Int, random: (ClosedRange<Int>) -> Int
    ) async throws(EventStoreError) -> VerifyReport {
        var state = State(report: VerifyReport(parts))
        let head = try await feed.head()
        state.report.head = head
        if head == 0 { return state.report }
        var tries = 0
        while state.streams.count < count, tries < 2 * count {
            tries += 1
            let position = random(1...head)
            do throws(EventStoreError) {
                guard let event = try await feed.events(after: position - 1, limit: 1).first else { continue }
                if state.streams[event.stream] == nil { try await look(at: event.stream, &state) }
            } catch {
                try error.throwIfUnavailable()
                state.report.add(Finding(.entryUnreadable, position: position, message: error.message))
            }
        }
        state.report.streams = state.streams.count
        return state.report
    }

    private func look(at stream: StreamID, _ state: inout State) async throws(EventStoreError) {
        let events = try await store.read(stream)
        for event in events {
            state.report.events += 1
            link(EventLink(event), &state)
        }
        guard parts.contains(.views), let fold = try await RangeFold(people).folds(of: events).first else { return }
        func add(_ kind: Finding.Kind, version: Int?, _ message: String) {
            state.report.add(Finding(kind, stream: stream, version: version, message: message))
        }
        if let damage = fold.damage, !damage.isHole, let kind = kind(of: damage) {
            return add(kind, version: damage.version, damage.reason)
        }
        do throws(EventStoreError) {
            guard let row = try await views.row(stream.appointment) else {
                return add(
                    .rowMissing, version: fold.version, "the appointment has events and no row in the view")
            }
            state.report.rows += 1
            if let found = try await damage(of: row, fold) {
                add(found.kind, version: row.version, found.message)
            }
        } catch {
            try error.throwIfUnavailable()
            add(.rowUnreadable, version: nil, error.message)
        }
    }
}

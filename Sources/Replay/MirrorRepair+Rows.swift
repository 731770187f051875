import Appointments
package import EventStore
import Projections

extension MirrorRepair {
    /// How often rows are folded again whose appointments move meanwhile.
    private static let rowRounds = 10

    /// Writes the rows anew that are not the fold of those events that the mirror holds.
    package func mendRows(isDry: Bool, _ outcome: inout Outcome) async throws(EventStoreError) {
        var after: StreamID?
        var isOver = false
        while !isOver {
            let range = try await scan.range(after: after, events: batch) ?? .rest(after: after)
            (isOver, after) = (range == .rest(after: after), range.through)
            var moved = try await mendRows(in: range, isDry: isDry, &outcome)
            for _ in 0..<Self.rowRounds where !moved.isEmpty {
                var again: Set<AppointmentID> = []
                for appointment in moved.sorted() {
                    again.formUnion(try await mendRows(in: .only(appointment.stream), isDry: isDry, &outcome))
                }
                moved = again
            }
            outcome.unsettled += moved.count
        }
    }

    /// - Returns: the appointments that moved on meanwhile.
    private func mendRows(
        in range: StreamRange, isDry: Bool, _ outcome: inout Outcome
    ) async throws(EventStoreError) -> Set<AppointmentID> {
        let events = try await scan.events(in: range)
        let entries = try await mirror.entries(at: events.map(\.place))
        let (insured, unreadable) = try await people.insuredWhereReadable(ofAll: events)
        var wanted: [AppointmentID: AppointmentRow] = [:]
        // The last version that the mirror holds, also behind a hole.
        var last: [AppointmentID: Int] = [:]
        // What can't be folded says nothing about its row; `verify` names it.
        var unfoldable = Set(unreadable.map(\.appointment))
        for event in events where entries[event.place] != nil {
            let id = event.stream.appointment
            last[id] = max(last[id] ?? 0, event.version)
            // Behind a hole there is nothing to fold onto.
            guard !unfoldable.contains(id), event.version == (wanted[id]?.version ?? 0) + 1 else { continue }
            do throws(EventStoreError) {
                wanted[id] = try AppointmentProjection.project(event, onto: wanted[id], insured: insured[event.stream])
            } catch {
                unfoldable.insert(id)
            }
        }
        let (held, damaged) = try await rows(in: range)
        var folds: [AppointmentID: MirroredFold] = [:]
        for id in damaged.union(wanted.keys).union(held.keys).subtracting(unfoldable)
        where damaged.contains(id) || held[id] != wanted[id] {
            folds[id] = MirroredFold(version: last[id] ?? 0, row: wanted[id])
        }
        if folds.isEmpty { return [] }
        let moved = isDry ? [] : try await mirror.mend(folds)
        outcome.rows += folds.count - moved.count
        return moved
    }

    /// The rows of a range, and the appointments whose row can't be read.
    private func rows(
        in range: StreamRange
    ) async throws(EventStoreError) -> (held: [AppointmentID: AppointmentRow], damaged: Set<AppointmentID>) {
        var (held, damaged): ([AppointmentID: AppointmentRow], Set<AppointmentID>) = ([:], [])
        do throws(EventStoreError) {
            for row in try await mirror.rows(in: range) { held[row.appointment] = row }
            return (held, [])
        } catch {
            try error.throwIfUnavailable()
        }
        for appointment in try await mirror.appointments(in: range) {
            do throws(EventStoreError) {
                if let row = try await mirror.row(appointment) { held[appointment] = row }
            } catch {
                try error.throwIfUnavailable()
                damaged.insert(appointment)
            }
        }
        return (held, damaged)
    }
}

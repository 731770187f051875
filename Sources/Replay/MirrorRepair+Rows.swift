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
        let made = try await RangeFold(people).folds(of: events) { entries[$0.place] != nil }
        let found = try await FoundRows(range, of: mirror)
        var folds: [AppointmentID: MirroredFold] = [:]
        for pair in found.compared(with: made) {
            let fold = pair.fold.map { made[$0] }
            // What can't be read says nothing about its row; `verify` names it. Up to a hole the row is known.
            if let damage = fold?.damage, !damage.isHole { continue }
            let held = pair.row.map { found.rows[$0] }
            switch held?.row {
            case nil where fold?.row == nil: continue
            case .success(let row)? where row == fold?.row: continue
            case nil, .success?, .failure?: break
            }
            guard let id = held?.appointment ?? fold?.stream.appointment else { continue }
            folds[id] = MirroredFold(version: fold?.version ?? 0, row: fold?.row)
        }
        if folds.isEmpty { return [] }
        let moved = isDry ? [] : try await mirror.mend(folds)
        outcome.rows += folds.count - moved.count
        return moved
    }
}

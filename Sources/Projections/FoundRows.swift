package import Appointments
package import EventStore

/// The rows of a range as a view has them, also those that can't be read, in the order of ids.
package struct FoundRows: Sendable {
    package private(set) var rows: [(appointment: AppointmentID, row: Result<AppointmentRow, EventStoreError>)] = []
    /// The ids of rows that no program writes.
    package private(set) var strays: [String] = []
    /// Why the view does not give the range out as a whole; nil where it does.
    package private(set) var damage: EventStoreError?

    /// Reads a range; one row after the other where one of them can't be read.
    ///
    /// - Throws: `unavailable`.
    package init(_ range: StreamRange, of view: any RowReader & RowScan) async throws(EventStoreError) {
        do throws(EventStoreError) {
            rows = try await view.rows(in: range).map { ($0.appointment, .success($0)) }
            return
        } catch {
            try error.throwIfUnavailable()
            damage = error
        }
        for key in try await view.keys(in: range) {
            switch key {
            case .stray(let name): strays.append(name)
            case .appointment(let id):
                do throws(EventStoreError) {
                    if let row = try await view.row(id) { rows.append((id, .success(row))) }
                } catch {
                    try error.throwIfUnavailable()
                    rows.append((id, .failure(error)))
                }
            }
        }
    }

    /// Puts together what the events of a range make and what is there, in the order of ids: the places in both lists.
    package func compared(with folds: [Fold]) -> [(fold: Int?, row: Int?)] {
        pairs(folds.map(\.stream.appointment), rows.map(\.appointment))
    }
}

/// Puts two lists together, each in the order of ids: the places of each id in both.
package func pairs(_ left: [AppointmentID], _ right: [AppointmentID]) -> [(Int?, Int?)] {
    var pairs: [(Int?, Int?)] = []
    pairs.reserveCapacity(max(left.count, right.count))
    var (first, second) = (0, 0)
    while first < left.count || second < right.count {
        let isLeft = second == right.count || first < left.count && left[first] <= right[second]
        let isRight = first == left.count || second < right.count && right[second] <= left[first]
        pairs.append((isLeft ? first : nil, isRight ? second : nil))
        (first, second) = (first + (isLeft ? 1 : 0), second + (isRight ? 1 : 0))
    }
    return pairs
}

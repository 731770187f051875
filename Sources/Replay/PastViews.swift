package import EventStore
package import Projections

/// The lists as they were: the rows that the events up to a moment make.
///
/// The live view says which appointments there are and when they began, which never changes; what has moved since is
/// folded from its events.
package struct PastViews: Sendable {
    private let views: any AppointmentViews
    private let store: any StreamReader
    private let moment: Moment

    /// The most appointments that one page looks at.
    package static let maximumRows = 10_000
    private static let step = 500

    /// - Parameter moment: a time, a position or the latest; a version is one appointment's own and makes no list.
    package init(views: any AppointmentViews, store: any StreamReader, at moment: Moment) {
        (self.views, self.store, self.moment) = (views, store, moment)
    }

    /// A part of a list.
    package struct Page: Sendable {
        package let rows: [AppointmentRow]
        /// Where the next page begins; nil at the end. A page may be short, and others follow.
        package let next: RowPlace?
    }

    /// Reads a page, newest first.
    ///
    /// - Parameter filter: what the rows were then, not what they are.
    /// - Throws: `unavailable` or `corrupt`.
    package func page(
        _ filter: RowFilter, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> Page {
        if moment == .latest {
            let rows = try await views.rows(filter, after: place, offset: 0, limit: limit + 1)
            let page = Array(rows.prefix(limit))
            return Page(rows: page, next: rows.count > limit ? page.last?.place : nil)
        }
        var candidates = filter
        candidates.status = nil
        if case .time(let time) = moment { candidates.to = min(filter.to ?? time, time) }
        var place = place
        var rows: [AppointmentRow] = []
        var looked = 0
        while looked < Self.maximumRows {
            let batch = try await views.rows(candidates, after: place, offset: 0, limit: Self.step)
            for row in batch {
                looked += 1
                if let past = try await past(row), filter.matches(past) { rows.append(past) }
                place = row.place
                if rows.count > limit {
                    return Page(rows: Array(rows.prefix(limit)), next: rows[limit - 1].place)
                }
            }
            if batch.count < Self.step { return Page(rows: rows, next: nil) }
        }
        return Page(rows: rows, next: place)
    }

    private func past(_ row: AppointmentRow) async throws(EventStoreError) -> AppointmentRow? {
        switch moment {
        // Its last event had happened by then, so nothing has moved it since.
        case .time(let time) where row.updatedAt <= time: return row
        case .latest, .time, .position, .version:
            let history = try await History.read(row.appointment, from: store, insured: row.insured)
            return try history?.state(at: moment)
        }
    }
}

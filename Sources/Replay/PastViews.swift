import Appointments
package import EventStore
package import Projections
import Synchronization

/// The lists as they were: the rows that the events up to a moment make.
///
/// The live view says which appointments there are and when they began, which never changes; what has moved since is
/// folded from its events. Where it lacks events, what it has parked and what lies after its checkpoint joins it, and
/// every row is folded.
package final class PastViews: Sendable {
    private let views: any AppointmentView
    private let store: any StreamReader
    private let events: PastEvents
    private let moment: Moment
    /// What had begun and the view may lack, for the filter of the last page.
    private let begun = Mutex<(filter: RowFilter, coverage: ViewProgress.Coverage, places: [RowPlace])?>(nil)

    /// The most appointments that one page looks at.
    package static let maximumRows = 10_000
    private static let step = 500

    /// - Parameter moment: a time, a position or the latest; a version is one appointment's own and makes no list.
    package init(views: any AppointmentView, store: any StreamReader, events: PastEvents, at moment: Moment) {
        (self.views, self.store, self.events, self.moment) = (views, store, events, moment)
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
        var wanted = filter.onlyLasting
        if case .time(let time) = moment { wanted.to = min(filter.to ?? time, time) }
        let coverage = try await events.coverage()
        let begun = try await begun(wanted, coverage)
        var place = place
        var rows: [AppointmentRow] = []
        var looked = 0
        while looked < Self.maximumRows {
            let (batch, isLast) = try await candidates(wanted, begun, after: place)
            for candidate in batch {
                looked += 1
                if let past = try await past(candidate, coverage), filter.matches(past) { rows.append(past) }
                place = candidate.place
                if rows.count > limit {
                    return Page(rows: Array(rows.prefix(limit)), next: rows[limit - 1].place)
                }
            }
            if isLast { return Page(rows: rows, next: nil) }
        }
        return Page(rows: rows, next: place)
    }

    // MARK: Candidates

    /// An appointment that may be on the list.
    private struct Candidate {
        let place: RowPlace
        /// Its row of today; nil where the view has none.
        let row: AppointmentRow?
    }

    private func begun(
        _ filter: RowFilter, _ coverage: ViewProgress.Coverage
    ) async throws(EventStoreError) -> [RowPlace] {
        if let known = begun.withLock({ $0 }), known.filter == filter, known.coverage == coverage {
            return known.places
        }
        let places = try await events.begun(filter, beyond: coverage, in: store)
        begun.withLock { $0 = (filter, coverage, places) }
        return places
    }

    /// The next candidates after a place, in the order of the list: those of the view, and between them those that
    /// only the log knows.
    private func candidates(
        _ filter: RowFilter, _ begun: [RowPlace], after place: RowPlace?
    ) async throws(EventStoreError) -> (batch: [Candidate], isLast: Bool) {
        let batch = try await views.rows(filter, after: place, offset: 0, limit: Self.step)
            .map { Candidate(place: $0.place, row: $0) }
        let isLast = batch.count < Self.step
        let first = begun.firstIndex { behind in place.map { $0 < behind } ?? true } ?? begun.endIndex
        let others = begun[first...].prefix { other in isLast || batch.last.map { other < $0.place } ?? true }
        if others.isEmpty { return (batch, isLast) }
        let known = Set(batch.map(\.place))
        let all = batch + others.filter { !known.contains($0) }.map { Candidate(place: $0, row: nil) }
        return (Array(all.sorted { $0.place < $1.place }.prefix(Self.step)), isLast && all.count <= Self.step)
    }

    private func past(
        _ candidate: Candidate, _ coverage: ViewProgress.Coverage
    ) async throws(EventStoreError) -> AppointmentRow? {
        // Its last event had happened by then, so nothing has moved it since.
        if coverage.isWhole, case .time(let time) = moment, let row = candidate.row, row.updatedAt <= time {
            return row
        }
        do throws(EventStoreError) {
            let history = try await store.read(candidate.place.appointment.stream)
            let insured = candidate.row == nil ? try await events.insured(of: history) : candidate.row?.insured
            return try History(candidate.place.appointment, events: history, insured: insured).state(at: moment)
        } catch {
            // One that is parked since it can't be read is on no list; any other is damage that nobody has seen yet.
            guard error.code == .corrupt, coverage.parked.contains(candidate.place.appointment) else { throw error }
            return nil
        }
    }
}

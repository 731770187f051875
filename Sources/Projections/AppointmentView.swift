package import Appointments
package import EventStore

/// Which rows of the view are wanted. All conditions hold together; nil asks for nothing.
package struct RowFilter: Equatable, Sendable {
    package var insured: InsuredID?
    package var status: AppointmentStatus?
    package var country: Country?
    /// The first and the last moment of `createdAt`, both included.
    package var from: Timestamp?
    package var to: Timestamp?

    package init(
        insured: InsuredID? = nil, status: AppointmentStatus? = nil, country: Country? = nil, from: Timestamp? = nil,
        to: Timestamp? = nil
    ) {
        (self.insured, self.status, self.country, self.from, self.to) = (insured, status, country, from, to)
    }

    /// The conditions on what a row has from its first event on: an event never changes what they say of it.
    package var onlyLasting: RowFilter { RowFilter(insured: insured, country: country, from: from, to: to) }

    /// Whether a row is wanted.
    package func matches(_ row: AppointmentRow) -> Bool {
        (insured == nil || row.insured == insured) && (status == nil || row.status == status)
            && (country == nil || row.country == country) && (from.map { row.createdAt >= $0 } ?? true)
            && (to.map { row.createdAt <= $0 } ?? true)
    }
}

/// A place in a list that is ordered newest first: by `createdAt` descending, then by id descending.
package struct RowPlace: Hashable, Comparable, Sendable {
    package let createdAt: Timestamp
    package let appointment: AppointmentID

    package init(createdAt: Timestamp, appointment: AppointmentID) {
        (self.createdAt, self.appointment) = (createdAt, appointment)
    }

    package static func < (left: RowPlace, right: RowPlace) -> Bool {
        (left.createdAt, left.appointment) > (right.createdAt, right.appointment)
    }
}

extension AppointmentRow {
    package var place: RowPlace { RowPlace(createdAt: createdAt, appointment: appointment) }
}

/// How many appointments a country has in a status.
package struct RowCount: Hashable, Sendable {
    package let country: Country
    package let status: AppointmentStatus
    package let count: Int

    package init(country: Country, status: AppointmentStatus, count: Int) {
        (self.country, self.status, self.count) = (country, status, count)
    }
}

/// What has one row an appointment: a view, or the view of a mirror.
package protocol RowReader: Sendable {
    /// The row of an appointment; nil where there is none.
    func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow?
}

/// The appointments view as the API reads it.
package protocol AppointmentView: RowReader {
    /// The rows of some appointments, in one go; those without one are missing.
    func rows(of appointments: [AppointmentID]) async throws(EventStoreError) -> [AppointmentID: AppointmentRow]

    /// Rows newest first: those after `place`, less the first `offset`, at most `limit`.
    func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow]

    /// How many rows there are.
    func count(_ filter: RowFilter) async throws(EventStoreError) -> Int

    /// How many rows each country has in each status; without those it has none in.
    func counts() async throws(EventStoreError) -> [RowCount]

    /// Rows in a status that have been quiet, oldest first: what the sweeper looks at.
    func idle(
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow]
}

package import Appointments
package import EventStore
package import Projections
import Synchronization

/// The view as operators go through it: its rows in the order of their ids as well.
///
/// The table gives rows out in the order of a hash, so their ids are looked at where a run begins, which reads the
/// whole table, and rows are fetched by their ids. One run, one instance: a row that begins after the look is not
/// in it.
package final class DynamoDBOrderedViews: RowScan {
    private let views: DynamoDBViews
    private let look = Mutex<RowIDs?>(nil)

    package init(_ client: AWSClient, tables: DynamoDBTables) { views = DynamoDBViews(client, tables: tables) }

    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        var known = range.after == nil ? nil : look.withLock { $0 }
        if known == nil {
            known = try await views.ids()
            look.withLock { $0 = known }
        }
        let ids = known ?? RowIDs()
        if ids.strays > 0, range == .rest(after: range.after) {
            throw EventStoreError(
                .corrupt, message: "\(ids.strays) rows of the view have ids that are none: remove them from the table")
        }
        return try await views.rows(of: ids.sorted.filter { range.contains($0.stream) }).values
            .sorted { $0.appointment < $1.appointment }
    }
}

extension DynamoDBOrderedViews: AppointmentViews {
    package func row(_ appointment: AppointmentID) async throws(EventStoreError) -> AppointmentRow? {
        try await views.row(appointment)
    }

    package func rows(
        of appointments: [AppointmentID]
    ) async throws(EventStoreError) -> [AppointmentID: AppointmentRow] {
        try await views.rows(of: appointments)
    }

    package func rows(
        _ filter: RowFilter, after place: RowPlace?, offset: Int, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await views.rows(filter, after: place, offset: offset, limit: limit)
    }

    package func count(_ filter: RowFilter) async throws(EventStoreError) -> Int { try await views.count(filter) }

    package func counts() async throws(EventStoreError) -> [RowCount] { try await views.counts() }

    package func idle(
        _ status: AppointmentStatus, since moment: Timestamp, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await views.idle(status, since: moment, after: place, limit: limit)
    }
}

/// The ids of all rows of the view at one moment.
struct RowIDs: Sendable {
    var sorted: [AppointmentID] = []
    /// How many rows have an id that no program writes.
    var strays = 0
}

extension DynamoDBViews {
    /// Looks at the ids of all rows.
    func ids() async throws(EventStoreError) -> RowIDs {
        let found: [AppointmentID?] = try await rows.scan { writer in
            writer.member("ProjectionExpression", "appointmentId")
        } read: { items throws(EventStoreError) in
            items.map { (try? $0.text("appointmentId")).flatMap { AppointmentID($0) } }
        }
        let ids = found.compactMap(\.self)
        return RowIDs(sorted: ids.sorted(), strays: found.count - ids.count)
    }

    /// Rows as they stand, for a comparison: those that can't be read as well.
    func standing(_ appointments: [AppointmentID]) async throws(EventStoreError) -> [AppointmentID: StandingRow] {
        var found: [AppointmentID: StandingRow] = [:]
        for item in try await rows.items(appointments.map(Self.key)) {
            guard let id = (try? item.text("appointmentId")).flatMap({ AppointmentID($0) }) else { continue }
            found[id] = StandingRow(item: item, row: try? row(item))
        }
        return found
    }
}

/// An item of the view as it stands, whether or not it is a row.
struct StandingRow: Sendable {
    let item: Item
    /// Nil when it can't be read.
    let row: AppointmentRow?

    /// The condition that the item is still this one, as far as its version tells, with its values.
    var condition: (text: String, values: ((inout JSONWriter) -> Void)?) {
        guard let version = try? item.number("version") else { return ("attribute_not_exists(version)", nil) }
        return ("version = :seen", { $0.attribute(":seen", number: version) })
    }
}

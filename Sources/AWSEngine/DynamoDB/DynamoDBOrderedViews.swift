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
    private let views: DynamoDBAppointmentView
    private let look = Mutex<RowIDs?>(nil)

    package init(_ client: AWSClient, tables: DynamoDBTables) {
        views = DynamoDBAppointmentView(client, tables: tables)
    }

    package func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow] {
        let ids = try await ids(isBeginning: range.after == nil)
        if !ids.strays.isEmpty, range.isRest {
            throw EventStoreError(
                .corrupt, message: "\(ids.strays.count) rows of the view have ids that are none: run `ledger verify`")
        }
        return try await views.rows(of: ids.sorted.filter { range.contains($0.stream) }).values
            .sorted { $0.appointment < $1.appointment }
    }
}

extension DynamoDBOrderedViews {
    package func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey] {
        let ids = try await ids(isBeginning: false)
        return ids.sorted.filter { range.contains($0.stream) }.map(RowKey.appointment)
            + (range.isRest ? ids.strays.map(RowKey.stray) : [])
    }

    private func ids(isBeginning: Bool) async throws(EventStoreError) -> RowIDs {
        if !isBeginning, let known = look.withLock(\.self) { return known }
        let ids = try await views.ids()
        look.withLock { $0 = ids }
        return ids
    }
}

extension DynamoDBOrderedViews: AppointmentView {
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
        _ status: AppointmentStatus, quiet: Quiet, after place: RowPlace?, limit: Int
    ) async throws(EventStoreError) -> [AppointmentRow] {
        try await views.idle(status, quiet: quiet, after: place, limit: limit)
    }
}

/// The ids of all rows of the view at one moment.
struct RowIDs: Sendable {
    var sorted: [AppointmentID] = []
    /// How far each row says that it is; missing where it does not say so.
    var versions: [AppointmentID: Int] = [:]
    /// The ids that no program writes.
    var strays: [String] = []
}

extension DynamoDBAppointmentView {
    /// Looks at the ids of all rows.
    func ids() async throws(EventStoreError) -> RowIDs {
        let found: [(key: String, version: Int?)] = try await rows.scan { writer in
            writer.member("ProjectionExpression", "appointmentId, version")
        } read: { items throws(EventStoreError) in
            items.map { ((try? $0.text("appointmentId")) ?? "", (try? $0.number("version")).map { Int($0) }) }
        }
        var ids = RowIDs()
        for (key, version) in found {
            if let id = Self.appointment(key) {
                ids.sorted.append(id)
                ids.versions[id] = version
            } else {
                ids.strays.append(key)
            }
        }
        ids.sorted.sort()
        ids.strays.sort()
        return ids
    }

    /// The appointment that a key of the table names, as programs write it.
    static func appointment(_ key: String) -> AppointmentID? {
        AppointmentID(key).flatMap { $0.description == key ? $0 : nil }
    }

    /// Takes rows away whose keys name no appointment; gives how many there were.
    func remove(strays: [String]) async throws(EventStoreError) -> Int {
        try await inOrder(strays.filter { Self.appointment($0) == nil }) { (key: String) throws(EventStoreError) in
            try await self.rows.delete { $0.attribute("appointmentId", text: key) }
        }.count(where: \.self)
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
        // Whatever it is: a damaged one is of any type.
        guard let version = item.value["version"] else { return ("attribute_not_exists(version)", nil) }
        return ("version = :seen", { writer in writer.member(":seen") { $0.value(version) } })
    }
}

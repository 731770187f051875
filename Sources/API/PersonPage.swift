import Appointments
import EventStore
import Projections
import Replay

/// A page of one person's appointments, in the original service's shape.
struct PersonPage {
    let rows: [AppointmentRow]
    let filter: RowFilter
    let limit: Int
    let offset: Int
    /// How many rows the filter lets through.
    let total: Int
    /// How many rows the person has.
    let available: Int
    let isFiltered: Bool

    var hasMore: Bool { offset + limit < total }
    var totalPages: Int { (total + limit - 1) / limit }
    var currentPage: Int { offset / limit + 1 }

    func write(to writer: inout JSONWriter) {
        writer.key("appointments")
        writer.array { writer in
            for row in rows { writer.appointment(row, showing: .whole) }
        }
        writer.key("pagination")
        writer.object {
            $0.member("count", rows.count)
            $0.member("total", total)
            $0.member("limit", limit)
            $0.member("offset", offset)
            $0.key("hasMore")
            $0.boolean(hasMore)
            $0.member("totalPages", totalPages)
            $0.member("currentPage", currentPage)
        }
        writer.key("filters")
        writer.object {
            $0.member("status", filter.status?.rawValue)
            $0.member("countryISO", filter.country?.code)
            $0.member("startDate", filter.from)
            $0.member("endDate", filter.to)
        }
        writer.key("meta")
        writer.object {
            $0.member("totalAvailable", available)
            $0.member("totalFiltered", total)
            $0.key("filterApplied")
            $0.boolean(isFiltered)
        }
    }
}

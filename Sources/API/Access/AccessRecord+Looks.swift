package import Appointments
package import EventStore
package import Projections
package import Replay

/// The ways to look at the events, as they are recorded.
extension AccessRecord {
    /// That somebody was shown a page of the audit log.
    package init(_ query: AuditQuery, by caller: String, rows: Int, at: Timestamp) {
        var writer = JSONWriter()
        writer.object { writer in
            let filter = query.filter
            let texts: [(String, String?)] = [
                ("type", filter.type), ("countryISO", filter.country),
                ("appointmentId", query.appointment?.description),
                ("insuredId", PersonDisplay.masked.text(of: query.insured)), ("actor", filter.actor),
                ("correlationId", filter.correlation), ("from", filter.from?.description),
                ("to", filter.to?.description),
            ]
            for (name, text) in texts { writer.filter(name, text) }
            writer.member("after", query.after)
            writer.member("limit", query.limit)
        }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }

    /// That somebody was shown who looked at the events.
    package init(toAccesses filter: AccessFilter, by caller: String, rows: Int, at: Timestamp) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.filter("accesses", filter.caller ?? "all")
            if let from = filter.from { writer.member("from", from) }
            if let to = filter.to { writer.member("to", to) }
        }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }

    /// That somebody was shown a page of a list of appointments, as it is or as it was.
    ///
    /// - Parameter list: what the list is called.
    package init(
        to list: String, _ filter: RowFilter, at moment: Moment, by caller: String, rows: Int, at: Timestamp
    ) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("view", list)
            let texts: [(String, String?)] = [
                ("insuredId", PersonDisplay.masked.text(of: filter.insured)), ("status", filter.status?.rawValue),
                ("countryISO", filter.country?.code), ("asOf", moment.text),
            ]
            for (name, text) in texts { writer.filter(name, text) }
        }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }

    /// That somebody was shown what changed between two moments.
    package init(toChanges from: Moment, _ to: Moment, by caller: String, rows: Int, at: Timestamp) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("diff", "appointments")
            writer.member("from", from.text)
            writer.member("to", to.text)
        }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }

    /// That somebody was shown the history of one appointment.
    package init(to appointment: AppointmentID, by caller: String, rows: Int, at: Timestamp) {
        var writer = JSONWriter()
        writer.object { $0.member("history", appointment.description) }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }
}

extension Moment {
    /// A time, or a place in the log; nil for the latest.
    fileprivate var text: String? {
        switch self {
        case .latest: nil
        case .time(let time): time.description
        case .version(let version): "version \(version)"
        case .position(let position): "position \(position)"
        }
    }
}

extension JSONWriter {
    /// Writes what was asked for, where it was, without what may be a person's number: an access is kept for ever.
    fileprivate mutating func filter(_ name: String, _ text: String?) {
        guard let text else { return }
        member(name, PersonNumbers.isFound(in: text) ? PersonNumbers.masked(text) : text)
    }
}

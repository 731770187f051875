package import Appointments
package import EventStore
package import Projections
package import Replay
import Synchronization

/// That somebody looked at the events.
package struct AuditAccess: Equatable, Sendable {
    package let at: Timestamp
    /// Who looked: `key:<name>`, `operator:<user>` or `anonymous`.
    package let caller: String
    /// What was asked for, by the names of the filters, as one JSON object. An insured person is named masked.
    package let filters: [UInt8]
    /// How many events were shown.
    package let rows: Int

    package init(at: Timestamp, caller: String, filters: [UInt8], rows: Int) {
        (self.at, self.caller, self.filters, self.rows) = (at, caller, filters, rows)
    }
}

extension AuditAccess {
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
            for (name, text) in texts where text != nil { writer.member(name, text) }
            writer.member("after", query.after)
            writer.member("limit", query.limit)
        }
        self.init(at: at, caller: caller, filters: writer.bytes, rows: rows)
    }

    /// That somebody was shown who looked at the events.
    package init(toAccesses filter: AccessFilter, by caller: String, rows: Int, at: Timestamp) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("accesses", filter.caller ?? "all")
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
            for (name, text) in texts where text != nil { writer.member(name, text) }
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

/// Which accesses are wanted. All conditions hold together; nil asks for nothing.
package struct AccessFilter: Equatable, Sendable {
    package var caller: String?
    /// The first and the last moment, both included.
    package var from: Timestamp?
    package var to: Timestamp?

    package init(caller: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil) {
        (self.caller, self.from, self.to) = (caller, from, to)
    }

    /// Whether an access is wanted.
    package func matches(_ access: AuditAccess) -> Bool {
        (caller == nil || access.caller == caller) && (from.map { access.at >= $0 } ?? true)
            && (to.map { access.at <= $0 } ?? true)
    }
}

/// The record of who looked at the events. It only grows.
package protocol AuditTrail: Sendable {
    /// Records an access once that is durable.
    ///
    /// - Throws: `unavailable`; what was read is not to be shown then.
    func record(_ access: AuditAccess) async throws(EventStoreError)

    /// The newest accesses first, at most `limit`.
    func accesses(matching filter: AccessFilter, limit: Int) async throws(EventStoreError) -> [AuditAccess]
}

/// The reference for an audit trail: all accesses in memory.
package final class MemoryAuditTrail: AuditTrail {
    private let all = Mutex<[AuditAccess]>([])

    package init() {}

    package func record(_ access: AuditAccess) async throws(EventStoreError) { all.withLock { $0.append(access) } }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AuditAccess] {
        all.withLock { Array($0.reversed().filter(filter.matches).prefix(max(limit, 0))) }
    }
}

/// Records in one trail, and in another while that does not answer: what is shown is recorded either way.
package struct AuditTrails: AuditTrail {
    private let first: any AuditTrail
    private let otherwise: any AuditTrail
    private let takesFirst: @Sendable () async throws(EventStoreError) -> Bool

    /// - Parameter takesFirst: whether the first may be written to, where that is not always so.
    package init(
        _ first: any AuditTrail, otherwise: any AuditTrail,
        if takesFirst: @escaping @Sendable () async throws(EventStoreError) -> Bool = {
            () throws(EventStoreError) in true
        }
    ) {
        (self.first, self.otherwise, self.takesFirst) = (first, otherwise, takesFirst)
    }

    package func record(_ access: AuditAccess) async throws(EventStoreError) {
        do throws(EventStoreError) {
            guard try await takesFirst() else { return try await otherwise.record(access) }
            try await first.record(access)
        } catch {
            guard error.code == .unavailable else { throw error }
            try await otherwise.record(access)
        }
    }

    /// Those of both. When one does not answer it is an error: half a record would pass for the whole.
    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AuditAccess] {
        let newest = try await first.accesses(matching: filter, limit: limit)
        let others = try await otherwise.accesses(matching: filter, limit: limit)
        return Array((newest + others).sorted { $0.at > $1.at }.prefix(max(limit, 0)))
    }
}

import Synchronization

/// That somebody looked at the events.
package struct AccessRecord: Equatable, Sendable {
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
    package func matches(_ access: AccessRecord) -> Bool {
        (caller == nil || access.caller == caller) && (from.map { access.at >= $0 } ?? true)
            && (to.map { access.at <= $0 } ?? true)
    }
}

/// The record of who looked at the events. It only grows.
package protocol AccessLog: Sendable {
    /// Records an access once that is durable.
    ///
    /// - Throws: `unavailable`; what was read is not to be shown then.
    func record(_ access: AccessRecord) async throws(EventStoreError)

    /// The newest accesses first, at most `limit`.
    func accesses(matching filter: AccessFilter, limit: Int) async throws(EventStoreError) -> [AccessRecord]
}

extension AccessRecord {
    /// The fields that a chain of accesses hashes.
    ///
    /// - Parameter number: the place in the chain.
    package func fields(_ number: Int) -> [String?] {
        ["\(number)", "\(at.milliseconds)", caller, String(decoding: filters, as: UTF8.self), "\(rows)"]
    }
}

/// Records in one trail, and in another while that does not answer: what is shown is recorded either way.
package struct AccessLogs: AccessLog {
    private let first: any AccessLog
    private let otherwise: any AccessLog
    private let takesFirst: @Sendable () async throws(EventStoreError) -> Bool

    /// - Parameter takesFirst: whether the first may be written to, where that is not always so.
    package init(
        _ first: any AccessLog, otherwise: any AccessLog,
        if takesFirst: @escaping @Sendable () async throws(EventStoreError) -> Bool = {
            () throws(EventStoreError) in true
        }
    ) {
        (self.first, self.otherwise, self.takesFirst) = (first, otherwise, takesFirst)
    }

    package func record(_ access: AccessRecord) async throws(EventStoreError) {
        do throws(EventStoreError) {
            guard try await takesFirst() else { return try await otherwise.record(access) }
            try await first.record(access)
        } catch {
            try error.throwUnlessUnavailable()
            try await otherwise.record(access)
        }
    }

    /// Those of both. When one does not answer it is an error: half a record would pass for the whole.
    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AccessRecord] {
        let newest = try await first.accesses(matching: filter, limit: limit)
        let others = try await otherwise.accesses(matching: filter, limit: limit)
        return Array((newest + others).sorted { $0.at > $1.at }.prefix(max(limit, 0)))
    }
}

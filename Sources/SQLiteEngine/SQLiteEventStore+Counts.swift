package import EventStore
import GRDB

/// The counts of events that are kept with the appends, so that nobody has to count.
extension SQLiteEventStore {
    package func counts() async throws(EventStoreError) -> [EventCount] {
        try await file.read { try Self.counts("SELECT type, country, count FROM event_counts", in: $0) }
    }

    package func miscounts() async throws(EventStoreError) -> [String] {
        try await file.scan { database in
            let kept = try Self.counts("SELECT type, country, count FROM event_counts", in: database)
            let counted = try Self.counts(
                "SELECT type, country, count(*) FROM events GROUP BY type, country", in: database)
            return Set(kept).symmetricDifference(counted).map { [$0.type, $0.country] }.uniqued.map { kind in
                func number(_ counts: [EventCount]) -> Int {
                    counts.first { $0.type == kind[0] && $0.country == kind[1] }?.count ?? 0
                }
                return
                    "\(number(kept)) events of type \(kind[0]) in \(kind[1]) were counted with the appends, and there "
                    + "are \(number(counted))"
            }
        }
    }

    private static func counts(_ sql: String, in database: Database) throws -> [EventCount] {
        try database.rows(sql + " ORDER BY 1, 2") { EventCount(type: $0[0], country: $0[1], count: $0[2]) }
    }
}

extension [[String]] {
    /// Each once, in order.
    fileprivate var uniqued: [[String]] { Set(self).sorted { $0.lexicographicallyPrecedes($1) } }
}

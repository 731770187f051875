import EventStore
import Handlers
import SQLiteEngine

/// The record of accesses of a ledger that can only be read: whoever looks is told that it is not recorded. It can't
/// be, and whoever has the media could read them with another program.
struct UnrecordedTrail: AuditTrail {
    let kept: SQLiteAuditTrail

    func record(_ access: AuditAccess) async throws(EventStoreError) {
        report("ledger: that you looked is not recorded, since this ledger can only be read")
    }

    func accesses(matching filter: AccessFilter, limit: Int) async throws(EventStoreError) -> [AuditAccess] {
        try await kept.accesses(matching: filter, limit: limit)
    }
}

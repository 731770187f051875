import EventStore
import SQLiteEngine

/// The record of accesses of a ledger that can only be read: whoever looks is told that it is not recorded. It can't
/// be, and whoever has the media could read them with another program.
struct UnrecordedAccesses: AccessLog {
    let kept: SQLiteAccessLog
    let tell: @Sendable () -> Void

    func record(_ access: AccessRecord) async throws(EventStoreError) { tell() }

    func accesses(matching filter: AccessFilter, limit: Int) async throws(EventStoreError) -> [AccessRecord] {
        try await kept.accesses(matching: filter, limit: limit)
    }
}

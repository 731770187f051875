import EventStore
import Handlers
import Projections

/// A mirror that answers auditors, and records their accesses, only while it is known to be this ledger's.
struct GuardedMirror: AuditLog, AccessLog {
    private let log: any AuditLog
    private let trail: any AccessLog
    private let gate: MirrorGate

    init(_ mirror: any MirrorStore & AuditLog, _ trail: any AccessLog, _ gate: MirrorGate) {
        (log, self.trail, self.gate) = (mirror, trail, gate)
    }

    func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        try await gate.requireOurs()
        return try await log.events(matching: filter, after: position, limit: limit)
    }

    func counts() async throws(EventStoreError) -> [EventCount] {
        try await gate.requireOurs()
        return try await log.counts()
    }

    func record(_ access: AccessRecord) async throws(EventStoreError) {
        try await gate.requireOurs()
        try await trail.record(access)
    }

    func accesses(matching filter: AccessFilter, limit: Int) async throws(EventStoreError) -> [AccessRecord] {
        try await gate.requireOurs()
        return try await trail.accesses(matching: filter, limit: limit)
    }
}

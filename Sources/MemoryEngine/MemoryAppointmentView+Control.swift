package import EventStore
package import Projections

extension MemoryAppointmentView: ConsumerControl {
    package func names() async throws(EventStoreError) -> [ConsumerName] {
        let contents = contents
        return Set(contents.checkpoints.keys).union(contents.parked.keys).union(contents.paused.keys)
            .sorted { $0.description < $1.description }
    }

    package func pausedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? {
        contents.paused[projection]
    }

    /// Memory has no clock.
    package func movedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? { nil }

    package func pause(_ projection: ConsumerName, at now: Timestamp) async throws(EventStoreError) {
        change { $0.paused[projection] = $0.paused[projection] ?? now }
    }

    package func resume(_ projection: ConsumerName) async throws(EventStoreError) -> Bool {
        try changing { contents throws(EventStoreError) in contents.paused.removeValue(forKey: projection) != nil }
    }

    package func forget(_ projection: ConsumerName) async throws(EventStoreError) {
        change {
            $0.checkpoints[projection] = nil
            $0.parked[projection] = nil
            $0.paused[projection] = nil
        }
    }
}

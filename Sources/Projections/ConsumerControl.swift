package import EventStore

/// What operators do with a consumer of the feed: hold it, let it go on, forget it.
package protocol ConsumerControl: Sendable {
    /// All consumers that have left something here: a checkpoint, parked events or a pause.
    func names() async throws(EventStoreError) -> [ConsumerName]

    /// Since when a consumer is held; nil while it may work.
    func pausedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp?

    /// When its checkpoint last moved; nil when that is not known.
    func movedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp?

    /// Holds a consumer, in every process: it takes nothing in until it is resumed.
    func pause(_ projection: ConsumerName, at now: Timestamp) async throws(EventStoreError)

    /// Lets a consumer go on from its checkpoint; false when it was not held.
    func resume(_ projection: ConsumerName) async throws(EventStoreError) -> Bool

    /// Forgets a consumer's checkpoint, its parked events and its pause.
    func forget(_ projection: ConsumerName) async throws(EventStoreError)

    /// Whether a consumer is held, and what it has parked: what one that follows a change stream asks before a batch.
    func standing(of projection: ConsumerName) async throws(EventStoreError) -> ConsumerStanding
}

/// Whether a consumer is held, and what it has parked.
package struct ConsumerStanding: Equatable, Sendable {
    /// Since when it is held; nil while it may work.
    package let pausedAt: Timestamp?
    /// The first parked event of each appointment, by appointment.
    package let parked: [ParkedEvent]

    package init(pausedAt: Timestamp?, parked: [ParkedEvent]) {
        (self.pausedAt, self.parked) = (pausedAt, parked)
    }

    package var isHeld: Bool { pausedAt != nil }
}

extension ConsumerControl where Self: ConsumerStore {
    package func standing(of projection: ConsumerName) async throws(EventStoreError) -> ConsumerStanding {
        ConsumerStanding(pausedAt: try await pausedAt(projection), parked: try await parked(by: projection))
    }
}

extension ConsumerName {
    /// Reads `name@number`, as it is written; nil for anything else.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[1]), number >= 0, !parts[0].isEmpty else { return nil }
        self.init(String(parts[0]), number: number)
    }
}

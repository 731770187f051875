package import EventStore
package import Projections

/// How far a mirror and a ledger hold the same events at the same positions, from the first one on.
package struct CommonPast: Equatable, Sendable {
    /// The last position up to which all is the same.
    package private(set) var position = 0
    /// The position of the mirror's last entry.
    package let mirror: Int
    /// The position of the ledger's last event.
    package let ledger: Int

    /// Whether the ledger has all that the mirror has.
    package var isWhole: Bool { position == mirror }

    /// Compares them, place by place and leaf by leaf.
    ///
    /// - Parameters:
    ///   - feed: the ledger's events, in the order of the mirror.
    ///   - progress: is told the position that it has come to, and the last one.
    /// - Throws: `unavailable`; `corrupt` when the ledger can't be read: verify it first.
    package static func find(
        _ mirror: any MirrorStore, _ feed: any EventFeed, batch: Int = 2000,
        progress: (Int, Int) -> Void = { _, _ in }
    ) async throws(EventStoreError) -> CommonPast {
        var past = CommonPast(mirror: try await mirror.state().position, ledger: try await feed.head())
        let end = min(past.mirror, past.ledger)
        while past.position < end {
            let events = try await feed.links(after: past.position, limit: min(batch, end - past.position))
            let held = try await mirror.places(after: past.position, limit: events.count)
            let before = past.position
            for (event, entry) in zip(events, held) {
                let place = EventPlace(stream: event.stream, version: event.version)
                guard event.position == past.position + 1,
                    entry == MirroredPlace(position: past.position + 1, place: place, leaf: event.leaf)
                else { return past }
                past.position += 1
            }
            if past.position == before { return past }
            progress(past.position, end)
        }
        return past
    }

    private init(mirror: Int, ledger: Int) { (self.mirror, self.ledger) = (mirror, ledger) }
}

package import EventStore
package import Projections

/// Takes in what a change stream brings: routes each event, and brings the view up to it.
///
/// It trusts neither order nor uniqueness: records may be late, repeated, shuffled, or missing. It holds no checkpoint;
/// how far it has come is the stream's own business, and a batch that it throws at comes again.
package struct StreamHandler: Sendable {
    private let router: RouterPump
    private let runner: ProjectionRunner
    private let views: any ProjectionStore

    package init(router: RouterPump, runner: ProjectionRunner, views: any ProjectionStore) {
        (self.router, self.runner, self.views) = (router, runner, views)
    }

    /// Takes in a batch of records. What can't be taken in is parked, so that the others move on.
    ///
    /// - Throws: `unavailable`: the batch is to come again.
    package func handle(_ records: [RecordedEvent], now: Timestamp) async throws(EventStoreError) {
        let changes = try await runner.take(in: records, now: now)
        try await views.put(changes.rows, parking: changes.parked, by: ProjectionRunner.projection)
        let parked = try await router.route(records)
        if !parked.isEmpty { try await views.put([], parking: parked, by: RouterPump.projection) }
    }

    /// Takes in everything that the store holds, after records were lost: a stream that was trimmed before it was read.
    ///
    /// - Returns: how many events there were.
    /// - Throws: `unavailable`: begin again.
    package func backfill(
        from feed: any EventFeed, batch: Int = 1000, now: Timestamp
    ) async throws(EventStoreError) -> Int {
        var position = 0
        while true {
            let events = try await feed.events(after: position, limit: batch)
            guard let last = events.last?.position else { return position }
            try await handle(events, now: now)
            position = last
        }
    }
}

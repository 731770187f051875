package import EventStore
package import Projections

/// Takes in what a change stream brings: routes each event, and brings the view up to it.
///
/// It trusts neither order nor uniqueness: records may be late, repeated, shuffled, or missing. It holds no checkpoint;
/// how far it has come is the stream's own business, and a batch that it throws at comes again. So a stream waits for
/// nobody: what comes while an operator holds the view or the router is parked, and taken in after the resumption.
package struct ChangeHandler: Sendable {
    private let router: RouterPump
    private let runner: ProjectionRunner
    private let views: any ConsumerStore
    private let control: (any ConsumerControl)?

    /// How many appointments that waited for a resumption are taken in together with a batch.
    private static let takenUp = 50

    /// - Parameter control: says when an operator holds the view or the router; without it nobody can.
    package init(
        router: RouterPump, runner: ProjectionRunner, views: any ConsumerStore,
        control: (any ConsumerControl)? = nil
    ) {
        (self.router, self.runner, self.views, self.control) = (router, runner, views, control)
    }

    /// Takes in a batch of records. What can't be taken in is parked, so that the others move on.
    ///
    /// - Throws: `unavailable`: the batch is to come again.
    package func handle(_ records: [RecordedEvent], now: Timestamp) async throws(EventStoreError) {
        let view = try await standing(of: ProjectionRunner.projection)
        if view.isHeld {
            try await hold(records, from: ProjectionRunner.projection, now: now)
        } else {
            let changes = try await runner.take(in: records, parked: view.parked, now: now)
            try await views.put(changes.rows, parking: changes.parked, by: ProjectionRunner.projection)
        }
        let routing = try await standing(of: RouterPump.projection)
        if routing.isHeld {
            try await hold(records, from: RouterPump.projection, now: now)
        } else {
            let parked = try await router.route(records)
            if !parked.isEmpty { try await views.put([], parking: parked, by: RouterPump.projection) }
        }
        _ = try await takeUp(view, routing, limit: Self.takenUp, now: now)
    }

    /// Takes in what came while the view or the router was held, unless they still are.
    ///
    /// - Returns: how many appointments were looked at; 0 when nothing waits any more.
    /// - Throws: `unavailable`; the others wait on.
    package func takeUp(limit: Int, now: Timestamp) async throws(EventStoreError) -> Int {
        try await takeUp(
            standing(of: ProjectionRunner.projection), standing(of: RouterPump.projection), limit: limit, now: now)
    }

    private func takeUp(
        _ view: ConsumerStanding, _ routing: ConsumerStanding, limit: Int, now: Timestamp
    ) async throws(EventStoreError) -> Int {
        var count = 0
        if !view.isHeld {
            count += try await views.takeUp(
                view.parked, by: ProjectionRunner.projection, limit: limit, now: now
            ) { id throws(EventStoreError) in
                try await runner.retry(id, now: now)
            }
        }
        if !routing.isHeld {
            count += try await views.takeUp(
                routing.parked, by: RouterPump.projection, limit: limit, now: now
            ) { id throws(EventStoreError) in
                try await router.retry(id)
            }
        }
        return count
    }

    private func standing(of projection: ConsumerName) async throws(EventStoreError) -> ConsumerStanding {
        if let control { return try await control.standing(of: projection) }
        return ConsumerStanding(pausedAt: nil, parked: try await views.parked(by: projection))
    }

    private func hold(
        _ records: [RecordedEvent], from projection: ConsumerName, now: Timestamp
    ) async throws(EventStoreError) {
        try await views.put([], parking: records.map { .held($0, at: now) }, by: projection)
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

package import EventStore

/// Tells what the view of appointments can be trusted to have.
package struct ViewProgress: Sendable {
    private enum Follower {
        case feed(any EventFeed, any ProjectionStore)
        case changeStream(any ProjectionControl)
    }

    /// What the view has.
    package enum Coverage: Sendable {
        /// Every event that there was when this was asked.
        case whole
        /// Every appointment that had begun, but for the last moments; which of them have moved on since, it may not
        /// know.
        case begun
        /// Nobody knows: it is held, behind, or has parked an appointment.
        case unknown
    }

    private let follower: Follower

    /// Of a view that follows a feed.
    package init(feed: any EventFeed, checkpoints: any ProjectionStore) { follower = .feed(feed, checkpoints) }

    /// Of a view that follows a change stream, and has no checkpoint.
    package init(behindChangeStream control: any ProjectionControl) { follower = .changeStream(control) }

    /// What the view has now.
    ///
    /// - Throws: `unavailable`.
    package func coverage() async throws(EventStoreError) -> Coverage {
        let view = ProjectionRunner.projection
        switch follower {
        case .changeStream(let control):
            let standing = try await control.standing(of: view)
            return standing.isHeld || !standing.parked.isEmpty ? .unknown : .begun
        case .feed(let feed, let checkpoints):
            let head = try await feed.head()
            let checkpoint = try await checkpoints.checkpoint(of: view)
            guard checkpoint >= head, try await checkpoints.parked(by: view).isEmpty else { return .unknown }
            // One that was raised says nothing.
            return try await checkpoint <= feed.head() ? .whole : .unknown
        }
    }
}

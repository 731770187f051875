package import EventStore

/// Tells whether the view of appointments has come as far as the feed that it follows.
package struct ViewProgress: Sendable {
    private let feed: any EventFeed
    private let checkpoints: any ProjectionStore

    package init(feed: any EventFeed, checkpoints: any ProjectionStore) {
        (self.feed, self.checkpoints) = (feed, checkpoints)
    }

    /// Whether the view has every event that there was when this was asked.
    package func isWhole() async throws(EventStoreError) -> Bool {
        let view = ProjectionRunner.projection
        let head = try await feed.head()
        let checkpoint = try await checkpoints.checkpoint(of: view)
        guard checkpoint >= head, try await checkpoints.parked(by: view).isEmpty else { return false }
        // One that was raised says nothing.
        return try await checkpoint <= feed.head()
    }
}

package import Appointments
package import EventStore

/// Tells what the view of appointments can be trusted to have.
package struct ViewProgress: Sendable {
    private enum Follower {
        case feed(any EventFeed, any ConsumerStore)
        case changeStream(any ConsumerControl)
    }

    /// What the view has, and what it may lack.
    package struct Coverage: Equatable, Sendable {
        /// Whether it has every event that there was when this was asked. Behind a change stream nobody knows: it lacks
        /// what the stream has not brought yet.
        package let isWhole: Bool
        /// The position after which it has taken in nothing; nil where it has come to the head.
        package let unseenAfter: Int?
        /// The appointments that it has not taken in whole: what came while it was held, and what it can't take in.
        package let parked: [AppointmentID]
    }

    private let follower: Follower

    /// Of a view that follows a feed.
    package init(feed: any EventFeed, checkpoints: any ConsumerStore) { follower = .feed(feed, checkpoints) }

    /// Of a view that follows a change stream, and has no checkpoint.
    package init(behindChangeStream control: any ConsumerControl) { follower = .changeStream(control) }

    /// What the view has now.
    ///
    /// - Throws: `unavailable`.
    package func coverage() async throws(EventStoreError) -> Coverage {
        let view = ProjectionRunner.projection
        switch follower {
        case .changeStream(let control):
            let parked = try await control.standing(of: view).parked
            return Coverage(isWhole: false, unseenAfter: nil, parked: parked.map(\.appointment))
        case .feed(let feed, let checkpoints):
            let before = try await feed.head()
            let checkpoint = try await checkpoints.checkpoint(of: view)
            let parked = try await checkpoints.parked(by: view).map(\.appointment)
            // One that was raised says nothing.
            let isRaised = try await checkpoint > feed.head()
            let unseen = isRaised ? 0 : checkpoint < before ? checkpoint : nil
            return Coverage(isWhole: unseen == nil && parked.isEmpty, unseenAfter: unseen, parked: parked)
        }
    }
}

package import EventStore
package import Projections

/// How far a mirror is behind the feed that it follows.
package struct MirrorStatus: Equatable, Sendable {
    /// What a mirror tells of itself.
    package struct Progress: Equatable, Sendable {
        /// The position of its last entry.
        package let position: Int
        /// How far it has read the feed.
        package let checkpoint: Int
        /// How many events it has not taken in.
        package let lag: Int
        /// How long ago the first of these happened; 0 when there is none.
        package let lagMilliseconds: Int64
        /// How many events it keeps that contradict it.
        package let conflicts: Int
    }

    /// Nil while it does not answer, or is damaged.
    package let progress: Progress?
    /// Why it can't say how far it is though it answers, such as a head row that is lost.
    package let damage: String?

    /// Asks a mirror and its feed.
    ///
    /// - Throws: `unavailable` when the feed does not answer.
    package static func read(
        _ mirror: any MirrorStore, following feed: any EventFeed, now: Timestamp
    ) async throws(EventStoreError) -> MirrorStatus {
        let (state, conflicts): (MirrorState, Int)
        do throws(EventStoreError) {
            (state, conflicts) = (try await mirror.state(), try await mirror.conflictCount())
        } catch {
            return MirrorStatus(progress: nil, damage: error.code == .unavailable ? nil : error.message)
        }
        let lag = max(try await feed.head() - state.checkpoint, 0)
        let first = lag > 0 ? try await feed.events(after: state.checkpoint, limit: 1).first : nil
        return MirrorStatus(
            progress: Progress(
                position: state.position, checkpoint: state.checkpoint, lag: lag,
                lagMilliseconds: max(first.map { now.milliseconds - $0.entry.at.milliseconds } ?? 0, 0),
                conflicts: conflicts), damage: nil)
    }

    /// Whether it answers, be it with what is wrong.
    package var answers: Bool { progress != nil || damage != nil }
}

extension JSONWriter {
    /// Writes how far a mirror is.
    package mutating func members(of mirror: MirrorStatus) {
        key("answers")
        boolean(mirror.answers)
        if let damage = mirror.damage { member("damage", damage) }
        guard let progress = mirror.progress else { return }
        member("position", progress.position)
        member("checkpoint", progress.checkpoint)
        member("lag", progress.lag)
        member("lagSeconds", Int(progress.lagMilliseconds / 1000))
        member("conflicts", progress.conflicts)
    }
}

package import EventStore

/// How far a mirror lags the feed that it follows.
package struct MirrorStatus: Equatable, Sendable {
    /// What a mirror tells of itself.
    package struct Progress: Equatable, Sendable {
        /// The position of its last entry.
        package let position: Int
        /// How far it has read the feed.
        package let checkpoint: Int
        /// How it stands to the ledger.
        package let standing: MirrorStanding
        /// How many events it has not taken in; nil while it does not follow the ledger.
        package let lag: Int?
        /// How many positions it is further than the ledger's end; 0 when it is not.
        package let ahead: Int
        /// How long ago the first of these happened; 0 when there is none.
        package let lagMilliseconds: Int64
        /// How many events it keeps that contradict it.
        package let conflicts: Int
        /// Why it is neither followed nor answered from, and what to do; nil when it is.
        package let problem: String?
    }

    /// Nil while it does not answer, or is damaged.
    package let progress: Progress?
    /// Why it can't say how far it is though it answers, such as a head row that is lost.
    package let damage: String?

    package init(progress: Progress?, damage: String?) { (self.progress, self.damage) = (progress, damage) }

    /// Asks a mirror and its feed.
    ///
    /// - Parameter gate: knows whose the mirror has to be; without it that goes unasked.
    /// - Throws: `unavailable` when the feed does not answer.
    package static func read(
        _ mirror: any MirrorStore, through gate: MirrorGate? = nil, following feed: any EventFeed, now: Timestamp
    ) async throws(EventStoreError) -> MirrorStatus {
        let (state, conflicts, known): (MirrorState, Int, MirrorStanding)
        do throws(EventStoreError) {
            (state, conflicts) = (try await mirror.state(), try await mirror.conflictCount())
            known = try await gate?.standing(state, feed: feed) ?? .following
        } catch {
            return MirrorStatus(progress: nil, damage: error.code == .unavailable ? nil : error.message)
        }
        // The head last: a mirror that takes in meanwhile must not look as if it were ahead.
        let head = try await feed.head()
        let ahead = max(state.position, state.checkpoint) - head
        let standing = known.isOurs && ahead > 0 ? .ahead : known
        let lag = standing.isOurs ? head - state.checkpoint : nil
        let first = lag ?? 0 > 0 ? try await feed.events(after: state.checkpoint, limit: 1).first : nil
        return MirrorStatus(
            progress: Progress(
                position: state.position, checkpoint: state.checkpoint, standing: standing, lag: lag,
                ahead: max(ahead, 0),
                // A clock that was set back makes no negative wait.
                lagMilliseconds: max(first.map { now.milliseconds - $0.entry.at.milliseconds } ?? 0, 0),
                conflicts: conflicts, problem: standing.problem(state, of: gate?.identity)), damage: nil)
    }

    /// Whether it follows the ledger, and holds all of it.
    package var isUpToDate: Bool {
        guard let progress else { return false }
        return progress.lag == 0 && progress.conflicts == 0
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
        member("state", progress.standing.name)
        member("ahead", progress.ahead)
        if let problem = progress.problem { member("problem", problem) }
    }
}

import EventStore
import Projections
import Synchronization

/// What a consumer has noted of itself.
struct ConsumerProgress: Sendable {
    let name: ConsumerName
    let checkpoint: Int
    let parked: [ParkedEvent]
}

/// Tells how far consumers have come with what they follow.
protocol ConsumerReader: Sendable {
    /// - Returns: the position of the last event, 0 where there are none; and each consumer's status.
    /// - Throws: `unavailable` when what they follow does not answer.
    func read(
        _ consumers: [ConsumerProgress], now: Timestamp
    ) async throws(EventStoreError) -> (head: Int, [ConsumerStatus])
}

/// Of consumers of a feed: positions tell how far they lag.
final class FeedReader: ConsumerReader {
    private let feed: any EventFeed
    private let control: (any ConsumerControl)?
    private let sets: (any ViewCopies)?
    private let stallMilliseconds: Int64
    /// Since when each consumer was seen to lag at the same checkpoint.
    private let lagging = Mutex<[ConsumerName: (checkpoint: Int, since: Timestamp)]>([:])

    init(
        feed: any EventFeed, control: (any ConsumerControl)?, sets: (any ViewCopies)?, stallMilliseconds: Int64
    ) {
        (self.feed, self.control, self.sets, self.stallMilliseconds) = (feed, control, sets, stallMilliseconds)
    }

    func read(
        _ consumers: [ConsumerProgress], now: Timestamp
    ) async throws(EventStoreError) -> (head: Int, [ConsumerStatus]) {
        let head = try await feed.head()
        let filling = try await sets?.sets().first { $0.name == ViewCopy.next && $0.isMoving(at: now) }?.projection
        var found: [ConsumerStatus] = []
        for consumer in consumers {
            found.append(try await status(of: consumer, head: head, filling: filling, now: now))
        }
        return (head, found)
    }

    private func status(
        of consumer: ConsumerProgress, head: Int, filling: ConsumerName?, now: Timestamp
    ) async throws(EventStoreError) -> ConsumerStatus {
        let (name, checkpoint, parked) = (consumer.name, consumer.checkpoint, consumer.parked)
        let lag = max(head - checkpoint, 0)
        var (next, problem) = (Timestamp?.none, String?.none)
        do throws(EventStoreError) {
            if lag > 0 { next = try await feed.events(after: checkpoint, limit: 1).first?.entry.at }
        } catch {
            // An event that can't be read has no time, and is no reason to say nothing.
            problem = error.message
        }
        let moved = try await control?.movedAt(name)
        // What came a moment ago is no lag yet, however long nothing came before it.
        let since = [moved, next].compactMap(\.self).max()
        let hasStood = since.map { now.milliseconds - $0.milliseconds >= stallMilliseconds } ?? true
        let isSeenStalled = isSeenStalled(name, checkpoint: checkpoint, lag: lag, now: now)
        var isStalled = lag > 0 && (moved == nil ? isSeenStalled : hasStood)
        if checkpoint > head {
            isStalled = true
            problem = "the checkpoint is further than the last event: run `ledger repair`"
        }
        var state: ConsumerStatus.State = isStalled ? .stalled : lag == 0 ? .live : .catchingUp
        if filling == name, !isStalled { state = .rebuilding }
        if try await control?.pausedAt(name) != nil { state = .paused }
        return ConsumerStatus(
            name: name, state: state, checkpoint: checkpoint, lag: checkpoint > head ? nil : lag,
            lagSeconds: next.map { Int(max(now.milliseconds - $0.milliseconds, 0) / 1000) } ?? 0, parked: parked.count,
            movedAt: moved, lastError: problem ?? parked.max { $0.at < $1.at }?.reason,
            isStalled: isStalled && state != .paused)
    }

    private func isSeenStalled(_ name: ConsumerName, checkpoint: Int, lag: Int, now: Timestamp) -> Bool {
        lagging.withLock { lagging in
            if lag == 0 {
                lagging[name] = nil
                return false
            }
            guard let seen = lagging[name], seen.checkpoint == checkpoint else {
                lagging[name] = (checkpoint, now)
                return false
            }
            return now.milliseconds - seen.since.milliseconds >= stallMilliseconds
        }
    }
}

/// Of consumers of a change stream, which has no positions: what workers note of their rounds tells.
struct ChangeStreamReader: ConsumerReader {
    /// A worker notes once a minute that it came to the end of the change stream.
    private static let roundMilliseconds: Int64 = 180_000

    /// Nil where no worker follows it.
    let lastRound: LastRound?
    let control: (any ConsumerControl)?

    func read(
        _ consumers: [ConsumerProgress], now: Timestamp
    ) async throws(EventStoreError) -> (head: Int, [ConsumerStatus]) {
        var found: [ConsumerStatus] = []
        for consumer in consumers { found.append(try await status(of: consumer, now: now)) }
        return (0, found)
    }

    private func status(of consumer: ConsumerProgress, now: Timestamp) async throws(EventStoreError) -> ConsumerStatus {
        let (name, checkpoint, parked) = (consumer.name, consumer.checkpoint, consumer.parked)
        var seen: Timestamp?
        if let lastRound { seen = try await lastRound() }
        let silence = seen.map { now.milliseconds - $0.milliseconds }
        // Records are kept for a day: whoever has been silent for longer follows it no more.
        let isFollowed = silence.map { $0 < 86_400_000 } ?? false
        let isStalled = isFollowed && silence ?? 0 >= Self.roundMilliseconds
        var state: ConsumerStatus.State = !isFollowed ? .unknown : isStalled ? .stalled : .live
        if try await control?.pausedAt(name) != nil { state = .paused }
        let problem = isStalled ? "no worker has come to the end of the change stream since \(seen ?? now)" : nil
        return ConsumerStatus(
            name: name, state: state, checkpoint: checkpoint, lag: nil, lagSeconds: nil, parked: parked.count,
            movedAt: isFollowed ? seen : nil, lastError: problem ?? parked.max { $0.at < $1.at }?.reason,
            isStalled: state == .stalled)
    }
}

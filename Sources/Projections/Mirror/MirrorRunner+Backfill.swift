package import EventStore

extension MirrorRunner {
    /// What a batch of a backfill shrinks to at most. Next to a busy worker only a small one is written before the
    /// mirror moves again.
    private static let smallestBatch = 16

    /// Takes in all that the feed holds and the mirror does not, wherever the mirror believes to be: after it lost
    /// entries that the feed's checkpoint had passed.
    ///
    /// While a batch is written, the next one is compared and folded, and the one after it is read: the mirror's
    /// database never waits for this program. What the mirror has already is passed over, whoever moves it meanwhile.
    ///
    /// - Parameter limit: how many events a batch has; half as many after each time that another worker was faster.
    /// - Parameter progress: told the position of the feed after each batch.
    /// - Throws: `unavailable`; what was written stays, and a next run passes over it.
    package func backfill(
        after position: Int = 0, now: Timestamp, limit: Int = 1000, progress: (Int) -> Void = { _ in }
    ) async throws(EventStoreError) {
        var (position, size) = (position, limit)
        // From where another worker has moved the mirror to, what was prepared is of no use.
        while try await !fill(after: &position, now: now, limit: size, progress: progress) {
            size = max(size / 2, min(limit, Self.smallestBatch))
        }
    }

    /// A batch that is to be written, and how far the feed is read with it.
    private struct Waiting: Sendable {
        let batch: PreparedBatch
        let end: Int
    }

    /// Fills the mirror up to the end of the feed; false when another worker moved it.
    private func fill(
        after position: inout Int, now: Timestamp, limit: Int, progress: (Int) -> Void
    ) async throws(EventStoreError) -> Bool {
        guard let feed else { throw .noFeed }
        let mirror = mirror
        var state = try await gate.pass(feed: feed, mending: true)
        // A checkpoint that stands where the mirror has not come to is set back by what is written here.
        let reached = try await gate.reached(state, feed: feed)
        var start = position
        var waiting: Waiting?
        var read = await attempt { [start] () throws(EventStoreError) in
            try await feed.events(after: start, limit: limit)
        }
        while true {
            // What was read before something went wrong is written all the same.
            let (events, failure) = read.parts
            let (batch, end) = (waiting, events?.last?.position)
            async let next = attempt { () throws(EventStoreError) in
                guard let end else { return [] as [RecordedEvent] }
                return try await feed.events(after: end, limit: limit)
            }
            async let outcome = attempt { () throws(EventStoreError) in
                guard let batch, !batch.batch.isHeld else { return true }
                return try await mirror.append(batch.batch.batch, expecting: batch.batch.state)
            }
            let prepared = await attempt { [start, state] () throws(EventStoreError) -> Waiting? in
                guard let events, let end else { return nil }
                // What the feed's reader has passed over is part of it only if this backfill has looked at it.
                let checkpoint = start <= state.checkpoint ? max(min(state.checkpoint, reached), end) : state.checkpoint
                return Waiting(
                    batch: try await prepare(
                        events, at: state, behind: batch?.batch, checkpoint: checkpoint, now: now), end: end)
            }
            guard try await outcome.get() else { return false }
            if let batch {
                position = batch.end
                progress(position)
            }
            guard let following = try prepared.get() else {
                if let failure { throw failure }
                return true
            }
            (waiting, start, state) = (following, following.end, following.batch.after)
            read = await next
        }
    }
}

/// What some work gives, or what it throws.
private func attempt<Value: Sendable>(
    _ work: () async throws(EventStoreError) -> Value
) async -> Result<Value, EventStoreError> {
    do throws(EventStoreError) { return .success(try await work()) } catch { return .failure(error) }
}

extension Result where Failure == EventStoreError {
    /// The value, or else the failure.
    fileprivate var parts: (value: Success?, failure: EventStoreError?) {
        switch self {
        case .success(let value): (value, nil)
        case .failure(let failure): (nil, failure)
        }
    }
}

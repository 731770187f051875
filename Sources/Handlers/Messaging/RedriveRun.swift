package import EventStore

/// Sends dead letters and parked appointments round again, at a pace.
package struct RedriveRun: Sendable {
    private let letters: any DeadLetters
    private let pace: Pace
    private let limit: Int

    /// - Parameter limit: how many at most; all there are without it.
    package init(_ letters: any DeadLetters, pace: Pace, limit: Int?) {
        (self.letters, self.pace, self.limit) = (letters, pace, limit ?? .max)
    }

    /// Puts the letters back that had died by a moment, of all queues where none is named. One that dies again
    /// meanwhile is left.
    ///
    /// - Returns: how many it moved.
    package func letters(of queue: QueueName?, deadBy moment: Timestamp) async throws -> Int {
        var count = 0
        while count < limit {
            let share = min(limit - count, min(pace.share, 1000))
            let moved = try await letters.redrive(of: queue, limit: share, deadUntil: moment)
            if moved == 0 { break }
            count += moved
            try await pace.wait(after: count)
        }
        return count
    }

    /// Puts letters back.
    ///
    /// - Returns: how many it moved.
    package func letters(_ ids: [String]) async throws -> Int {
        var (count, tried) = (0, 0)
        var rest = ids.prefix(limit)
        while !rest.isEmpty {
            let share = Array(rest.prefix(min(pace.share, 1000)))
            rest.removeFirst(share.count)
            count += try await letters.redrive(share)
            tried += share.count
            if !rest.isEmpty { try await pace.wait(after: tried) }
        }
        return count
    }

    /// Has each of some parked appointments tried again, one after the other.
    ///
    /// - Returns: how many were tried.
    package func each<Parked>(_ parked: [Parked], _ retry: (Parked) async throws -> Void) async throws -> Int {
        var count = 0
        for place in parked.prefix(limit) {
            if count > 0 { try await pace.wait(after: count) }
            try await retry(place)
            count += 1
        }
        return count
    }
}

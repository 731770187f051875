import Synchronization

/// How many requests one source may send: `perSecond` in the long run, `burst` together.
package struct RateLimit: Equatable, Sendable {
    package let perSecond: Double
    package let burst: Double

    package init(perSecond: Double, burst: Double) { (self.perSecond, self.burst) = (perSecond, burst) }
}

/// The limits of the API; nil for none.
package struct RateLimits: Equatable, Sendable {
    package var perHolder: RateLimit?
    package var perAddress: RateLimit?
    package var wrongKeys: RateLimit?

    /// - Parameter perHolder: for all requests with the keys of one holder.
    /// - Parameter perAddress: for what one address sends without a key: open routes, paths that are none, refusals.
    ///   Callers on this machine that need no key are not limited.
    /// - Parameter wrongKeys: for keys that one address tries and that are not right.
    package init(
        perHolder: RateLimit? = RateLimit(perSecond: 1000, burst: 2000),
        perAddress: RateLimit? = RateLimit(perSecond: 2000, burst: 4000),
        wrongKeys: RateLimit? = RateLimit(perSecond: 100, burst: 500)
    ) {
        (self.perHolder, self.perAddress, self.wrongKeys) = (perHolder, perAddress, wrongKeys)
    }
}

/// A token bucket for each source, in a table of bounded size.
///
/// When the table is full the fullest buckets are dropped: a source that has used little is told from a new one by
/// little. Those that are empty stay, so that nobody gets rid of a limit by filling the table.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: Duration

        /// The tokens that it has at a moment.
        func tokens(_ limit: RateLimit, at now: Duration) -> Double {
            min(limit.burst, tokens + max(now - at, .zero).seconds * limit.perSecond)
        }
    }

    private let limit: RateLimit
    private let capacity: Int
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ limit: RateLimit, capacity: Int = 20_000) { (self.limit, self.capacity) = (limit, max(capacity, 1)) }

    /// Takes a token for a source.
    ///
    /// - Parameter now: the moment, by a clock that is never set.
    /// - Returns: nil when there was one, else the seconds until there is one.
    func take(_ source: String, now: Duration) -> Int? {
        buckets.withLock { buckets in
            if buckets.count >= capacity, buckets[source] == nil { makeRoom(in: &buckets, now: now) }
            let tokens = buckets[source]?.tokens(limit, at: now) ?? limit.burst
            buckets[source] = Bucket(tokens: tokens < 1 ? tokens : tokens - 1, at: now)
            guard tokens < 1 else { return nil }
            let wait = (1 - tokens) / max(limit.perSecond, 0.001)
            return max(1, Int(min(wait, 3600).rounded(.up)))
        }
    }

    /// Gives back a token that turned out not to be due.
    func giveBack(_ source: String) {
        buckets.withLock { buckets in
            guard let bucket = buckets[source] else { return }
            buckets[source]?.tokens = min(limit.burst, bucket.tokens + 1)
        }
    }

    /// Drops a sixteenth of the buckets in one go, so that a crowd of new sources does not pay for each of them.
    private func makeRoom(in buckets: inout [String: Bucket], now: Duration) {
        let fullest = buckets.map { (source: $0, tokens: $1.tokens(limit, at: now)) }.sorted { $0.tokens > $1.tokens }
        let count = max(fullest.prefix { $0.tokens >= limit.burst }.count, buckets.count / 16, 1)
        for bucket in fullest.prefix(count) { buckets[bucket.source] = nil }
    }
}

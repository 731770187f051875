import EventStore
import Synchronization

/// How many requests one source may send: `perSecond` in the long run, `burst` at once.
package struct RateLimit: Equatable, Sendable {
    package let perSecond: Double
    package let burst: Double

    package init(perSecond: Double, burst: Double) { (self.perSecond, self.burst) = (perSecond, burst) }
}

/// The limits of the API; nil for none.
package struct RateLimits: Equatable, Sendable {
    package var perKey: RateLimit?
    package var perAddress: RateLimit?

    /// - Parameter perKey: for all requests with one key.
    /// - Parameter perAddress: for all requests from one address, with or without a key. Callers on this machine that
    ///   need no key are not limited.
    package init(
        perKey: RateLimit? = RateLimit(perSecond: 1000, burst: 2000),
        perAddress: RateLimit? = RateLimit(perSecond: 2000, burst: 4000)
    ) {
        (self.perKey, self.perAddress) = (perKey, perAddress)
    }
}

/// A token bucket for each source, in a table of bounded size.
///
/// When the table is full the buckets that have filled up again are dropped: they say nothing. If all are in use, all
/// are dropped, so that an attacker with many addresses can't use up the memory.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: Timestamp
    }

    private let limit: RateLimit
    private let capacity: Int
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ limit: RateLimit, capacity: Int = 20_000) { (self.limit, self.capacity) = (limit, capacity) }

    /// Takes a token for a source.
    ///
    /// - Returns: nil when there was one, else the seconds until there is one.
    func take(_ source: String, now: Timestamp) -> Int? {
        buckets.withLock { buckets in
            if buckets.count >= capacity, buckets[source] == nil { makeRoom(in: &buckets, now: now) }
            var bucket = buckets[source] ?? Bucket(tokens: limit.burst, at: now)
            let elapsed = Double(max(now.milliseconds - bucket.at.milliseconds, 0)) / 1000
            bucket.tokens = min(limit.burst, bucket.tokens + elapsed * limit.perSecond)
            bucket.at = now
            defer { buckets[source] = bucket }
            if bucket.tokens < 1 {
                let wait = (1 - bucket.tokens) / max(limit.perSecond, 0.001)
                return max(1, Int(min(wait, 3600).rounded(.up)))
            }
            bucket.tokens -= 1
            return nil
        }
    }

    private func makeRoom(in buckets: inout [String: Bucket], now: Timestamp) {
        buckets = buckets.filter { _, bucket in
            let elapsed = Double(max(now.milliseconds - bucket.at.milliseconds, 0)) / 1000
            return bucket.tokens + elapsed * limit.perSecond < limit.burst
        }
        if buckets.count >= capacity { buckets.removeAll() }
    }
}

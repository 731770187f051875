import Synchronization

/// Counts requests by route and status, and how long they took.
final class RequestMeters: Sendable {
    /// The upper bounds of the histogram's buckets, in seconds.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

    struct Histogram {
        var buckets = [Int](repeating: 0, count: bounds.count)
        var count = 0
        var sum = 0.0

        fileprivate mutating func add(_ seconds: Double) {
            count += 1
            sum += seconds
            for (place, bound) in bounds.enumerated().reversed() {
                if seconds > bound { break }
                buckets[place] += 1
            }
        }
    }

    struct Key: Hashable {
        /// Nil for a request that no route answered.
        let route: Route?
        let status: Int
    }

    struct Counts {
        var requests: [Key: Int] = [:]
        var seconds: [Route?: Histogram] = [:]
    }

    private let state = Mutex(Counts())

    func count(_ route: Route?, status: Int, seconds: Double) {
        state.withLock {
            $0.requests[Key(route: route, status: status), default: 0] += 1
            $0.seconds[route, default: Histogram()].add(seconds)
        }
    }

    var counts: Counts { state.withLock { $0 } }
}

/// Tells the pumps to finish what they have in hand and end.
package final class Stop: Sendable {
    private let bell: Doorbell

    /// - Parameter alarm: what `sleep` goes by.
    package init(alarm: Alarm) { bell = Doorbell(alarm: alarm) }

    package var isRequested: Bool { bell.rings > 0 }

    /// Asks all pumps to end.
    package func request() { bell.ring() }

    /// Sleeps, but not beyond the request to stop.
    package func sleep(milliseconds: Int64) async { await bell.wait(since: 0, atMostMilliseconds: milliseconds) }
}

/// How long a pump waits after a store that did not answer: longer each time, up to five seconds.
struct Backoff {
    private(set) var milliseconds: Int64 = 50

    mutating func wait(_ stop: Stop) async {
        await stop.sleep(milliseconds: milliseconds)
        milliseconds = min(milliseconds * 2, 5000)
    }

    mutating func reset() { milliseconds = 50 }
}

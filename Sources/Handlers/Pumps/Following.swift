package import EventStore
package import Logging

/// The loop of those who follow something, such as a feed or a change stream: step by step until they are told to stop.
/// After a step that failed they wait, longer each time, and go on with the same step.
package struct Following: Sendable {
    private let who: String
    private let logger: Logger

    /// - Parameter who: what the lines of the log begin with, such as `the router`.
    package init(_ who: String, logger: Logger) { (self.who, self.logger) = (who, logger) }

    /// Follows until it is told to stop.
    ///
    /// - Parameter failed: told of each step that failed, and how many milliseconds it waits after it.
    /// - Parameter step: does what there is to do, and waits where there is nothing.
    package func run(
        until stop: Stop, failed: (EventStoreError, _ pauseMilliseconds: Int64) async -> Void = { _, _ in },
        _ step: () async throws(EventStoreError) -> Void
    ) async {
        var backoff = Backoff()
        while !stop.isRequested {
            do throws(EventStoreError) {
                try await step()
                backoff.reset()
            } catch {
                if stop.isRequested { return }
                if error.code == .unavailable {
                    logger.warning("\(who) waits for a store", metadata: ["error": "\(error)"])
                } else {
                    logger.error("\(who) stands still", metadata: ["error": "\(error)"])
                }
                await failed(error, backoff.milliseconds)
                await backoff.wait(stop)
            }
        }
    }
}

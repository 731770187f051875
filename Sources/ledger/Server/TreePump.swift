import EventStore
import Handlers
import Logging
import TransparencyLog

/// Makes the tree over events that were stored by a program without one, some thousand at a time, while the server
/// runs. It ends once the tree has all events: an append goes on with it from there.
struct TreePump: Sendable {
    /// How many events are taken in together: enough to be quick, and too few to keep an append waiting for long.
    private static let step = 10_000
    /// How long it waits for a store that does not answer.
    private static let pauseMilliseconds: Int64 = 1000

    let tree: any StoredTree
    let logger: Logger

    /// Works until the tree has all events, or it is told to stop.
    func run(until stop: Stop) async {
        var hasBegun = false
        while !stop.isRequested {
            do throws(EventStoreError) {
                if try await tree.growTree(limit: Self.step) {
                    if hasBegun { logger.notice("the tree over the events has all of them") }
                    return
                }
                let edge = try await tree.edge()
                logger.notice(
                    hasBegun ? "the tree over the events grows" : "the tree over the events is made",
                    metadata: ["events": "\(edge.frontier?.size ?? 0)", "of": "\(edge.head)"])
                hasBegun = true
            } catch {
                guard error.code == .unavailable else {
                    return logger.error("the tree over the events can't be made", metadata: ["error": "\(error)"])
                }
                logger.warning("the tree over the events waits", metadata: ["error": "\(error.message)"])
                await stop.sleep(milliseconds: Self.pauseMilliseconds)
            }
        }
    }
}

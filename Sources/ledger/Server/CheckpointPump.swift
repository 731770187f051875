import EventStore
import Handlers
import LogService
import Logging

/// Signs a checkpoint when the log has grown: once a second at most, and when the server stops.
struct CheckpointPump: Sendable {
    private static let pauseMilliseconds: Int64 = 1000

    let checkpointer: Checkpointer
    let logger: Logger

    /// Signs until it is told to stop, and once more then.
    func run(until stop: Stop) async {
        var told = ""
        while !stop.isRequested {
            await sign(&told)
            await stop.sleep(milliseconds: Self.pauseMilliseconds)
        }
        await sign(&told)
    }

    /// - Parameter told: what was said last, so that what goes on is said once.
    private func sign(_ told: inout String) async {
        do throws(EventStoreError) {
            let standing = try await checkpointer.sign()
            guard standing.isAlarm else {
                told = ""
                return
            }
            tell(&told, "no checkpoint is signed: \(standing.problem ?? standing.state.rawValue)", .error)
        } catch {
            tell(&told, "no checkpoint can be signed now: \(error.message)", .warning)
        }
    }

    private func tell(_ told: inout String, _ message: String, _ level: Logger.Level) {
        if message == told { return }
        told = message
        logger.log(level: level, "\(message)")
    }
}

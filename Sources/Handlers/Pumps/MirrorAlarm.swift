package import Logging

/// Raises the alarm when a mirror keeps events that contradict it.
package struct MirrorAlarm: Sendable {
    private let counting: @Sendable (Int) -> Void
    private let logger: Logger

    /// - Parameter counting: told how many conflicts each alarm is about.
    package init(logger: Logger, counting: @escaping @Sendable (Int) -> Void = { _ in }) {
        (self.logger, self.counting) = (logger, counting)
    }

    /// Raises the alarm over some conflicts, if there are any.
    package func raise(_ conflicts: Int) {
        if conflicts == 0 { return }
        counting(conflicts)
        logger.error(
            "the mirror kept events that contradict it: run `ledger verify --mirror`",
            metadata: ["conflicts": "\(conflicts)"])
    }
}

package import Logging

/// Raises the alarm when a mirror keeps events that contradict it.
package struct MirrorAlarm: Sendable {
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    /// Raises the alarm over some conflicts, if there are any.
    package func raise(_ conflicts: Int) {
        if conflicts == 0 { return }
        logger.error(
            "the mirror kept events that contradict it: run `ledger verify --mirror`",
            metadata: ["conflicts": "\(conflicts)"])
    }
}

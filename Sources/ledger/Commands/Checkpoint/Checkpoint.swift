import ArgumentParser

/// `ledger checkpoint`: the head of the log that anybody can check.
struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "The signed head of the log: shows it, signs it, publishes it.",
        discussion: """
            `ledger serve` signs a checkpoint a second after the log has grown. A log that is smaller than its last \
            checkpoint, or does not go on from it, is never signed: the ledger was put back to an older copy, or \
            events were changed.

            EXAMPLES
              ledger checkpoint show
              ledger checkpoint publish --to /var/www/log
            """,
        subcommands: [
            ShowCheckpoint.self, ShowLogKey.self, SignCheckpoint.self, BeginLog.self, PublishLog.self,
        ])
}

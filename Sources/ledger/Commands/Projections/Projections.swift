import ArgumentParser

/// `ledger projections`: the consumers of the feed.
struct ProjectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projections",
        abstract: "Shows who follows the events, how far each has come, and holds, resumes, rebuilds or removes it.",
        discussion: """
            EXAMPLES
              ledger projections list
              ledger projections pause router
              ledger projections resume router
            """,
        subcommands: [
            ListProjections.self, PauseProjection.self, ResumeProjection.self, RebuildProjection.self,
            RemoveProjection.self,
        ])
}

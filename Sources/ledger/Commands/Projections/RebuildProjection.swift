import ArgumentParser

/// `ledger projections rebuild`.
struct RebuildProjection: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Makes a view anew: the same as `ledger rebuild`.",
        discussion: """
            EXAMPLE
              ledger projections rebuild appointments --dry-run
            """)

    @OptionGroup var rebuild: RebuildCommand

    func run(in shell: Shell) async throws { try await rebuild.run(in: shell) }
}

import ArgumentParser
import PostgresEngine

/// `ledger migrate up`.
struct MigrateUp: Verb {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Applies what is pending, each step in a transaction of its own.",
        discussion: """
            An applied step that was edited is refused, and so is a database with steps that this program does \
            not know.

            EXAMPLE
              ledger migrate up
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        var printer = options.printer(AppliedStep.columns, in: shell)
        for target in try MigrationTarget.all(in: shell.environment) {
            for step in try await target.migrator.up() { try printer.print(AppliedStep(target: target, step: step)) }
            shell.tell("the \(target.schema) schema of \(target.database) is up to date")
        }
        try printer.finish()
    }
}

/// A step that was applied just now.
private struct AppliedStep: FieldRow {
    static let fields: Fields = [
        "database": { $0.target.database }, "schema": { $0.target.schema }, "step": { $0.step },
    ]

    let target: MigrationTarget
    let step: String
}

import ArgumentParser
import EventStore
import PostgresEngine

/// `ledger migrate status`.
struct ShowMigrations: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows which steps are applied and which pending; exits with 3 when any is pending.",
        discussion: """
            EXAMPLE
              ledger migrate status --format json
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        var printer = options.printer(StepOfTarget.columns, in: shell)
        var states: Set<String> = []
        for target in try MigrationTarget.all(in: shell.environment) {
            for status in try await target.migrator.status() {
                let step = StepOfTarget(target: target, status: status)
                states.insert(step.state.name)
                try printer.print(step)
            }
        }
        try printer.finish()
        if !states.isDisjoint(with: ["edited", "unknown"]) { throw ExitCode(1) }
        if states.contains("pending") { throw ExitCode(3) }
    }
}

/// A step of a database's schema, and whether it is applied.
private struct StepOfTarget: FieldRow {
    static let fields: Fields = [
        "database": { $0.target.database }, "schema": { $0.target.schema }, "step": { $0.status.name },
        "state": { $0.state.name }, "appliedAt": { $0.state.appliedAt },
    ]

    let target: MigrationTarget
    let status: MigrationStatus

    var state: (name: String, appliedAt: Timestamp?) {
        switch status.state {
        case .pending: ("pending", nil)
        case .applied(let at): ("applied", at)
        case .edited(let at): ("edited", at)
        case .unknown(let at): ("unknown", at)
        }
    }
}

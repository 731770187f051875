import Appointments
import ArgumentParser
import EventStore
import Foundation
import HostSystem
import PostgresEngine

/// `ledger migrate`: the schemas of the PostgreSQL databases.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Brings the PostgreSQL databases up to this program.",
        discussion: """
            The databases are those that RDS_URL, or RDS_HOST and its companions, name for the countries (also with \
            their codes, as in RDS_URL_PE) and with _LEDGER for the mirror.

            EXAMPLES
              RDS_URL=postgresql://admin@/clinic?host=/run/postgresql ledger migrate status
              RDS_URL_LEDGER=postgresql://admin@/ledger?host=/run/postgresql ledger migrate up
            """,
        subcommands: [Up.self, Status.self])

    struct Up: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Applies what is pending, each step in a transaction of its own.",
            discussion: """
                An applied step that was edited is refused, and so is a database with steps that this program does \
                not know.

                EXAMPLE
                  ledger migrate up
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(["database", "schema", "step"])
            for target in try MigrationTarget.all() {
                for step in try await target.migrator.up() {
                    try printer.row { writer in
                        writer.object {
                            $0.member("database", target.database)
                            $0.member("schema", target.schema)
                            $0.member("step", step)
                        }
                    }
                }
                report("ledger: the \(target.schema) schema of \(target.database) is up to date")
            }
            try printer.finish()
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows which steps are applied and which pending; exits with 3 when any is pending.",
            discussion: """
                EXAMPLE
                  ledger migrate status --format json
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            var printer = options.printer(["database", "schema", "step", "state", "appliedAt"])
            var states: Set<String> = []
            for target in try MigrationTarget.all() {
                for step in try await target.migrator.status() {
                    let (state, appliedAt) = step.state.words
                    states.insert(state)
                    try printer.row { writer in
                        writer.object {
                            $0.member("database", target.database)
                            $0.member("schema", target.schema)
                            $0.member("step", step.name)
                            $0.member("state", state)
                            $0.member("appliedAt", appliedAt)
                        }
                    }
                }
            }
            try printer.finish()
            if !states.isDisjoint(with: ["edited", "unknown"]) { throw ExitCode(1) }
            if states.contains("pending") { throw ExitCode(3) }
        }
    }
}

/// A schema of a database that the environment names.
private struct MigrationTarget {
    let database: String
    let schema: String
    let migrator: Migrator

    /// The countries' databases and the mirror's; one that two countries share is there once.
    ///
    /// - Throws: a refusal when the environment names none.
    static func all() throws -> [MigrationTarget] {
        let environment = ProcessInfo.processInfo.environment
        let secrets = try PostgresSettings.passwords(of: environment)
        var targets: [MigrationTarget] = []
        for kind in Country.allCases.map(PostgresDatabase.country) + [.ledger] {
            guard let settings = try PostgresSettings(kind, environment: environment, secrets: secrets) else {
                continue
            }
            let steps = Migrator.steps(of: kind)
            let target = MigrationTarget(
                database: settings.summary, schema: steps.first?.schema ?? "",
                migrator: Migrator(PostgresPool(settings, size: 1, random: System.number), steps))
            let isNew = !targets.contains { $0.database == target.database && $0.schema == target.schema }
            if isNew { targets.append(target) }
        }
        if targets.isEmpty {
            throw Refusal(
                """
                no PostgreSQL database is configured: set RDS_URL, \
                \(Country.allCases.map { "RDS_URL_\($0.code)" }.joined(separator: ", ")) or RDS_URL_LEDGER
                """)
        }
        return targets
    }
}

extension MigrationStatus.State {
    fileprivate var words: (state: String, appliedAt: Timestamp?) {
        switch self {
        case .pending: ("pending", nil)
        case .applied(let at): ("applied", at)
        case .edited(let at): ("edited", at)
        case .unknown(let at): ("unknown", at)
        }
    }
}

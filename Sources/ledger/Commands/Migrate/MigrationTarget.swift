import Appointments
import HostSystem
import PostgresEngine

/// A schema of a database that the environment names.
struct MigrationTarget {
    let database: String
    let schema: String
    let migrator: Migrator

    /// The countries' databases and the mirror's; one that two countries share is there once.
    ///
    /// - Throws: a refusal when the environment names none.
    static func all(in environment: [String: String]) throws -> [MigrationTarget] {
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

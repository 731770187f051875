package import PostgresEngine

extension TestCluster {
    /// A new database with all steps of its schema. It is a copy of one that was migrated once; what belongs to a
    /// database and not into it, such as a role's settings, is not copied.
    package static func database(_ kind: PostgresDatabase) async throws -> TestDatabase {
        let steps = Migrator.steps(of: kind)
        return try await database(like: steps.first?.schema ?? "none") { database in
            _ = try await Migrator(try database.pool, steps).up()
        }
    }
}

import Appointments
import EventStore
import PostgresEngine
import TestPostgres
import Testing

extension MigrationStep {
    fileprivate init(_ number: Int, _ name: String, _ sql: String) {
        self.init(schema: "test", number: number, name: name, sql: Array(sql.utf8))
    }
}

/// Schemas that are brought up to the program.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct MigratorTests {
    private let one = MigrationStep(1, "001-one.sql", "CREATE TABLE one (id int)")
    private let two = MigrationStep(2, "002-two.sql", "CREATE TABLE two (id int)")

    private func states(_ migrator: Migrator) async throws -> [String] {
        try await migrator.status().map { step in
            switch step.state {
            case .pending: "\(step.number) pending"
            case .applied: "\(step.number) applied"
            case .edited: "\(step.number) edited"
            case .unknown: "\(step.number) unknown"
            }
        }
    }

    private func tables(_ database: TestDatabase) async throws -> [String] {
        try await database.pool.use { session in
            try session.query("SELECT relname::text FROM pg_class WHERE relname IN ('one', 'two') ORDER BY 1") {
                try $0.text(0)
            }
        }
    }

    @Test("steps are applied once and in order, and the program says which are pending")
    func order() async throws {
        let database = try await TestCluster.emptyDatabase()
        let (first, both) = (Migrator(try database.pool, [one]), Migrator(try database.pool, [one, two]))
        #expect(try await states(both) == ["1 pending", "2 pending"])
        #expect(try await first.up() == ["001-one.sql"])
        #expect(try await states(both) == ["1 applied", "2 pending"])
        let error = await #expect(throws: EventStoreError.self) { try await both.check() }
        #expect(error?.message.contains("002-two.sql") == true && error?.message.contains("migrate up") == true)
        #expect(try await both.up() == ["002-two.sql"])
        #expect(try await both.up().isEmpty)
        try await both.check()
        #expect(try await tables(database) == ["one", "two"])
    }

    @Test(
        "a database that may only be read is named so, with what mends it",
        arguments: ["DATABASE", "ROLE"])
    func readOnly(kind: String) async throws {
        let database = try await TestCluster.emptyDatabase()
        let role = "reader_\(database.name)"
        let name = kind == "ROLE" ? role : database.name
        let setting = "CREATE ROLE \(role) LOGIN; ALTER \(kind) \(name) SET default_transaction_read_only = on"
        try await TestCluster.shared.use { try $0.run(setting) }
        let migrator = Migrator(try database.login(role), [one])
        for body in [{ _ = try await migrator.up() }, { _ = try await migrator.status() }] as [() async throws -> Void]
        {
            let error = await #expect(throws: EventStoreError.self) { try await body() }
            #expect(error?.message.contains("RESET default_transaction_read_only") == true, "\(error as Any)")
        }
        try await TestCluster.shared.use { try $0.run("DROP ROLE \(role)") }
    }

    @Test("how a database reads backslashes changes nothing")
    func backslashes() async throws {
        let database = try await TestCluster.emptyDatabase()
        let setting = "ALTER DATABASE \(database.name) SET standard_conforming_strings = off"
        try await TestCluster.shared.use { try $0.run(setting) }
        for kind in [PostgresDatabase.country(.peru), .ledger] {
            let steps = Migrator.steps(of: kind)
            #expect(try await Migrator(try database.pool, steps).up() == steps.map(\.name))
        }
    }

    @Test("an applied step that was edited is refused, and nothing is done")
    func edited() async throws {
        let database = try await TestCluster.emptyDatabase()
        _ = try await Migrator(try database.pool, [one]).up()
        let other = MigrationStep(1, "001-one.sql", "CREATE TABLE one (id bigint)")
        let migrator = Migrator(try database.pool, [other, two])
        #expect(try await states(migrator) == ["1 edited", "2 pending"])
        for body in [{ _ = try await migrator.up() }, { try await migrator.check() }] as [() async throws -> Void] {
            let error = await #expect(throws: EventStoreError.self) { try await body() }
            #expect(error?.code == .invalid && error?.message.contains("001-one.sql") == true)
        }
        #expect(try await tables(database) == ["one"])
    }

    @Test("a database with a step that this program does not know is refused")
    func unknown() async throws {
        let database = try await TestCluster.emptyDatabase()
        _ = try await Migrator(try database.pool, [one, two]).up()
        let old = Migrator(try database.pool, [one])
        #expect(try await states(old) == ["1 applied", "2 unknown"])
        let error = await #expect(throws: EventStoreError.self) { try await old.up() }
        #expect(error?.code == .invalid && error?.message.contains("002-two.sql") == true)
    }

    @Test("a step that fails leaves nothing behind, and those before it stay")
    func failing() async throws {
        let database = try await TestCluster.emptyDatabase()
        let bad = MigrationStep(2, "002-bad.sql", "CREATE TABLE two (id int); SELECT 1 / 0")
        let error = await #expect(throws: EventStoreError.self) {
            try await Migrator(try database.pool, [one, bad]).up()
        }
        #expect(error?.code == .invalid && error?.message.contains("002-bad.sql") == true)
        #expect(error?.postgres?.sqlState == "22012")
        #expect(try await tables(database) == ["one"])
        #expect(try await Migrator(try database.pool, [one, two]).up() == ["002-two.sql"])
    }

    @Test("programs that migrate at once take turns, and each step is applied once")
    func race() async throws {
        let database = try await TestCluster.emptyDatabase()
        let migrator = Migrator(try database.pool, [one, two])
        let applied = try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<8 { group.addTask { try await migrator.up() } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == ["001-one.sql", "002-two.sql"])
    }

    @Test("databases of one cluster that are migrated at once share their roles")
    func roles() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                let database = try await TestCluster.emptyDatabase()
                group.addTask {
                    let migrator = Migrator(try database.pool, Migrator.steps(of: .ledger))
                    #expect(try await migrator.up().count == Migrator.steps(of: .ledger).count)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("both schemas may stand in one database")
    func together() async throws {
        let database = try await TestCluster.emptyDatabase()
        for kind in [PostgresDatabase.ledger, .country(.peru), .country(.chile)] {
            _ = try await Migrator(try database.pool, Migrator.steps(of: kind)).up()
            try await Migrator(try database.pool, Migrator.steps(of: kind)).check()
        }
    }

    @Test("a role that may do little sees whether the schema is the program's")
    func littleRole() async throws {
        let database = try await TestCluster.database(.ledger)
        for role in ["ledger_mirror", "ledger_auditor"] {
            let pool = try database.login(role, readsOnly: true)
            let migrator = Migrator(pool, Migrator.steps(of: .ledger))
            try await migrator.check()
            let more = Migrator.steps(of: .ledger) + [two]
            let error = await #expect(throws: EventStoreError.self) { try await Migrator(pool, more).up() }
            #expect(error?.code == .invalid && error?.message.contains("002-two.sql") == true)
        }
    }

    @Test("an administrator need not be a superuser, and a role that may too much is refused")
    func administrator() async throws {
        let cluster = try await OwnCluster.make()
        func pool(_ user: String) throws -> PostgresPool {
            PostgresPool(try cluster.database.settings(user: user), size: 2, random: TestCluster.random)
        }
        let (owner, administrator) = (try pool("postgres"), try pool("administrator"))
        try await owner.use {
            try $0.run(
                """
                CREATE ROLE administrator LOGIN CREATEROLE; ALTER DATABASE postgres OWNER TO administrator;
                CREATE ROLE ledger_owner LOGIN
                """)
        }
        let migrator = Migrator(administrator, Migrator.steps(of: .ledger))
        let error = await #expect(throws: EventStoreError.self) { try await migrator.up() }
        #expect(error?.code == .invalid && error?.postgres?.message?.contains("ledger_owner") == true)
        try await owner.use { try $0.run("DROP ROLE ledger_owner") }
        #expect(try await migrator.up().count == Migrator.steps(of: .ledger).count)
        await owner.close()
        await administrator.close()
        try await cluster.remove()
    }
}

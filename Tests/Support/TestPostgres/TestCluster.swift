import EventStore
import Glibc
package import PostgresEngine
import Synchronization
package import Testing

/// The PostgreSQL cluster that the test command has started, and databases in it.
package enum TestCluster {
    /// Names the directory of the cluster's socket.
    private static let variable = "LEDGER_TEST_POSTGRES"

    /// The directory of the cluster's socket; nil when there is none.
    package static let directory: String? = getenv(variable).map { String(cString: $0) }

    /// Whether there is a cluster.
    package static let isThere = directory != nil

    /// What to do when there is none.
    package static let reason: Comment =
        "it needs PostgreSQL: run scripts/test.sh, or name a cluster's socket directory by LEDGER_TEST_POSTGRES"

    private static let number = Atomic<Int>(0)
    private static let administrator = Mutex<PostgresPool?>(nil)

    /// A new database that is empty, and goes with the test: its suite needs the trait `dropsDatabases`.
    package static func emptyDatabase() async throws -> TestDatabase { try await make(from: "template0") }

    /// A new database that is a copy of one that `prepare` has filled, once for all tests.
    ///
    /// - Parameter template: names what it is filled with.
    package static func database(
        like template: String, prepare: @escaping @Sendable (TestDatabase) async throws -> Void
    ) async throws -> TestDatabase {
        try await make(from: try await Templates.shared.name(of: template, prepare))
    }

    /// A new database with all that another holds at this moment: what a backup of it would hold. Nobody may use the
    /// other meanwhile.
    package static func copy(of database: TestDatabase) async throws -> TestDatabase {
        await database.close()
        return try await make(from: database.name)
    }

    static func make(from template: String) async throws -> TestDatabase {
        let count = number.add(1, ordering: .relaxed).newValue
        let database = try create("test_\(getpid())_\(count)")
        guard let list = TestDatabases.made else { throw TestDatabases.missing }
        try await administer("CREATE DATABASE \(database.name) TEMPLATE \(template)")
        list.databases.withLock { $0.append(database) }
        return database
    }

    static func create(_ name: String) throws -> TestDatabase {
        TestDatabase(name: name, directory: try #require(directory, "\(reason)"))
    }

    /// Sessions for what needs no table.
    package static var shared: PostgresPool {
        get throws {
            try administrator.withLock { pool in
                if let pool { return pool }
                let made = PostgresPool(try settings(), size: 4, patienceMilliseconds: 60_000, random: random)
                pool = made
                return made
            }
        }
    }

    /// Where the cluster is, in the database that every cluster has.
    package static func settings() throws -> PostgresSettings { try create("postgres").settings() }

    static func administer(_ statement: String) async throws {
        try await shared.use { session in
            // Databases are copied and dropped by the dozen at once, which a slow disk makes wait.
            try session.limitStatements(toMilliseconds: 0)
            try session.run(statement)
        }
    }

    @Sendable package static func random() -> UInt64 { .random(in: .min ... .max) }
}

/// A database of one test.
package final class TestDatabase: Sendable {
    package let name: String
    /// The directory of its cluster's socket.
    package let directory: String
    private let pools = Mutex<[String: PostgresPool]>([:])

    package init(name: String, directory: String) { (self.name, self.directory) = (name, directory) }

    /// Where it is, as a program is told.
    package var url: String { url() }

    /// The same for another login, or by another socket, such as a proxy's.
    package func url(user: String = "postgres", socket: String? = nil) -> String {
        "postgresql://\(user)@/\(name)?host=\(socket ?? directory)"
    }

    /// What an engine connects with.
    package func settings(user: String = "postgres", socket: String? = nil) throws -> PostgresSettings {
        try PostgresSettings(url: url(user: user, socket: socket))
    }

    /// Sessions of the cluster's owner.
    package var pool: PostgresPool { get throws { try login("postgres") } }

    /// Sessions of a role; those of one that may only read need `readsOnly`.
    package func login(_ user: String, readsOnly: Bool = false) throws -> PostgresPool {
        var settings = try settings(user: user)
        settings.requiresWriting = !readsOnly
        // The machine may be busy with other tests.
        settings.connectMilliseconds = 60_000
        return pools.withLock { pools in
            if let pool = pools[user] { return pool }
            let pool = PostgresPool(settings, patienceMilliseconds: 60_000, random: TestCluster.random)
            pools[user] = pool
            return pool
        }
    }

    func close() async {
        let pools = pools.withLock { pools in
            defer { pools = [:] }
            return Array(pools.values)
        }
        for pool in pools { await pool.close() }
    }
}

/// The databases that others are copies of.
private actor Templates {
    static let shared = Templates()
    private var made: [String: Task<String, any Error>] = [:]

    func name(
        of template: String, _ prepare: @escaping @Sendable (TestDatabase) async throws -> Void
    ) async throws -> String {
        if let task = made[template] { return try await task.value }
        let task = Task {
            let database = try TestCluster.create("template_\(getpid())_\(template)")
            try await TestCluster.administer("CREATE DATABASE \(database.name) TEMPLATE template0")
            try await prepare(database)
            // A database with a session is not copied.
            await database.close()
            return database.name
        }
        made[template] = task
        return try await task.value
    }
}

/// What a test has made, to be dropped behind it.
final class TestDatabases: Sendable {
    @TaskLocal static var made: TestDatabases?

    let databases = Mutex<[TestDatabase]>([])
    let clusters = Mutex<[OwnCluster]>([])

    static var missing: EventStoreError {
        EventStoreError(.invalid, message: "nothing would drop what the test makes: add the trait .dropsDatabases")
    }
}

/// Drops a test's databases and its own clusters when it ends, however it ends.
package struct DropsDatabases: TestTrait, SuiteTrait, TestScoping {
    package let isRecursive = true

    package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let made = TestDatabases()
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await TestDatabases.$made.withValue(made, operation: function)) } catch {
            outcome = .failure(error)
        }
        for database in made.databases.withLock({ $0 }) {
            await database.close()
            try await TestCluster.administer("DROP DATABASE \(database.name) WITH (FORCE)")
        }
        for cluster in made.clusters.withLock({ $0 }) { try await cluster.remove() }
        try outcome.get()
    }
}

extension Trait where Self == DropsDatabases {
    /// Drops a test's databases and its own clusters when it ends.
    package static var dropsDatabases: DropsDatabases { DropsDatabases() }
}

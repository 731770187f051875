package import EventStore
internal import Migrations

/// A step of a database's schema as this program knows it.
package struct MigrationStep: Sendable {
    /// Which schema it belongs to: `country` or `ledger`.
    package let schema: String
    /// From 1, without holes.
    package let number: Int
    package let name: String
    package let sql: String
    /// The digest of the file.
    package let hash: Hash

    /// - Parameter number: the place among the steps of its schema, from 1.
    package init(schema: String, number: Int, name: String, sql: [UInt8]) {
        (self.schema, self.number, self.name) = (schema, number, name)
        (self.sql, hash) = (String(decoding: sql, as: UTF8.self), Hash(of: sql))
    }
}

/// A step, and what became of it in a database.
package struct MigrationStatus: Equatable, Sendable {
    /// What became of a step.
    package enum State: Equatable, Sendable {
        case pending
        case applied(at: Timestamp)
        /// It was applied, and the file was changed afterwards.
        case edited(at: Timestamp)
        /// It was applied by a program that knows more steps than this one.
        case unknown(at: Timestamp)
    }

    package let number: Int
    package let name: String
    package let state: State
}

/// Brings the schema of a database up to this program, one step after the other, each in a transaction of its own.
///
/// What was applied is recorded with the digest of its file. The table `migration.steps` may be read by everybody, so
/// that a program with few rights can see whether the schema is its own.
package struct Migrator: Sendable {
    private let pool: PostgresPool
    private let steps: [MigrationStep]

    package init(_ pool: PostgresPool, _ steps: [MigrationStep]) { (self.pool, self.steps) = (pool, steps) }

    /// The steps of a database's schema, in order.
    package static func steps(of database: PostgresDatabase) -> [MigrationStep] {
        let (schema, files) =
            switch database {
            case .ledger: ("ledger", Migration.ledger)
            case .country: ("country", Migration.country)
            }
        return files.enumerated().map { index, file in
            MigrationStep(schema: schema, number: index + 1, name: file.name, sql: file.sql)
        }
    }

    /// What became of each step, in order; also of those that this program does not know.
    ///
    /// - Throws: `unavailable`.
    package func status() async throws(EventStoreError) -> [MigrationStatus] {
        try await pool.use { try status(in: $0) }
    }

    /// Whether every step was applied as it stands here, and no other.
    ///
    /// - Throws: `unavailable`; `invalid`, with what to do, when it was not.
    package func check() async throws(EventStoreError) {
        let status = try await status()
        try refuseWhatIsForeign(status)
        if let step = status.first(where: { $0.state == .pending }) {
            throw EventStoreError(
                .invalid,
                message: "the \(schema) schema of the database lacks step \(step.name): run `ledger migrate up`")
        }
    }

    /// Applies what is pending. Programs that do so together take turns; a step that fails leaves nothing.
    ///
    /// - Returns: the names of the steps that were applied.
    /// - Throws: `invalid` when an applied step was edited or is not known to this program, before anything is done, or
    ///   when a step is refused; `unavailable`. What was applied before stays.
    package func up() async throws(EventStoreError) -> [String] {
        try await pool.transaction { session in
            try lock(session)
            let isNew = try hasRecords(session) == false
            if isNew { try session.run(Self.records) }
        }
        var applied: [String] = []
        for step in steps {
            let isNew = try await pool.transaction { session in
                try lock(session)
                let status = try status(in: session)
                try refuseWhatIsForeign(status)
                guard status.contains(where: { $0.number == step.number && $0.state == .pending }) else { return false }
                try apply(step, in: session)
                return true
            }
            if isNew { applied.append(step.name) }
        }
        return applied
    }
}

// MARK: - Within a transaction

extension Migrator {
    /// One lock for all schemas of a database. The number stands for nothing but itself.
    private static let lockNumber = 0x6D69_6772_6174_65

    private static let records = """
        CREATE SCHEMA migration;
        CREATE TABLE migration.steps (
            schema text COLLATE "C" NOT NULL,
            number integer NOT NULL CHECK (number > 0),
            name text NOT NULL,
            sha256 bytea NOT NULL,
            applied timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (schema, number)
        );
        GRANT USAGE ON SCHEMA migration TO PUBLIC;
        GRANT SELECT ON migration.steps TO PUBLIC;
        """

    private var schema: String { steps.first?.schema ?? "" }

    private func lock(_ session: PostgresSession) throws {
        // A step may take long, and so may those before it.
        try session.limitStatements(toMilliseconds: 0)
        try session.execute("SELECT pg_advisory_xact_lock($1)", [.int8(Self.lockNumber)])
    }

    private func hasRecords(_ session: PostgresSession) throws -> Bool {
        try session.row("SELECT to_regclass('migration.steps') IS NOT NULL") { try $0.bool(0) } ?? false
    }

    private func status(in session: PostgresSession) throws -> [MigrationStatus] {
        var records: [Int: (name: String, hash: Hash, at: Timestamp)] = [:]
        if try hasRecords(session) {
            let rows = try session.query(
                "SELECT number, name, sha256, applied FROM migration.steps WHERE schema = $1", [.text(schema)]
            ) { (try $0.int(0), (try $0.text(1), try $0.hash(2), try $0.moment(3))) }
            records = Dictionary(uniqueKeysWithValues: rows)
        }
        let known = steps.map { step in
            let state: MigrationStatus.State =
                if let record = records[step.number] {
                    record.hash == step.hash ? .applied(at: record.at) : .edited(at: record.at)
                } else {
                    .pending
                }
            return MigrationStatus(number: step.number, name: step.name, state: state)
        }
        let others = records.filter { record in !steps.contains { $0.number == record.key } }
            .map { MigrationStatus(number: $0.key, name: $0.value.name, state: .unknown(at: $0.value.at)) }
        return (known + others).sorted { $0.number < $1.number }
    }

    private func refuseWhatIsForeign(_ status: [MigrationStatus]) throws(EventStoreError) {
        for step in status {
            switch step.state {
            case .pending, .applied: break
            case .edited:
                throw EventStoreError(
                    .invalid,
                    message: """
                        step \(step.name) of the \(schema) schema was applied and its file was edited afterwards: put \
                        the file back as it was, and write a new step
                        """)
            case .unknown:
                throw EventStoreError(
                    .invalid,
                    message: """
                        the \(schema) schema of the database has step \(step.name), which this program does not know: \
                        use the program that applied it, or a newer one
                        """)
            }
        }
    }

    private func apply(_ step: MigrationStep, in session: PostgresSession) throws {
        do {
            try session.run(step.sql)
        } catch let error as PostgresError where !error.isWorthRepeating && !error.isOutage {
            throw EventStoreError(
                .invalid, message: "step \(step.name) of the \(schema) schema was refused, and nothing of it stays",
                cause: error)
        }
        // A step may have gone on as another role; the records belong to whoever migrates.
        try session.run("RESET ROLE")
        try session.execute(
            "INSERT INTO migration.steps (schema, number, name, sha256) VALUES ($1, $2, $3, $4)",
            [.text(step.schema), .int4(step.number), .text(step.name), .hash(step.hash)])
    }
}

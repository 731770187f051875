import EventStore
import GRDB
internal import Migrations

/// The tables of the embedded ledger's one file. Their SQL is in `migrations/embedded`, one step a file; a step is
/// never edited once it was released, and new ones are added.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for file in Migration.embedded {
            let step = SchemaStep(file)
            migrator.registerMigration(step.identity, migrate: step.apply)
        }
        return migrator
    }

    /// What a step does that SQL can't, by the name that its file says: a line `-- code: NAME` stands where it happens.
    static let code: [String: @Sendable (Database) throws -> Void] = [
        "chain the accesses": SQLiteAccessLog.chainRecords,
        "adopt the keys": SQLiteAPIKeys.adoptKeys,
    ]
}

/// A file of SQL as the migrator runs it.
struct SchemaStep: Sendable {
    /// What the step is called in the files that it was applied to: `6 view sets` for `006-view-sets.sql`.
    let identity: String
    private let lines: [Substring]

    init(_ file: Migration) {
        let name = file.name.drop { $0 == "0" }.prefix { $0 != "." }
        identity = name.map { $0 == "-" ? " " : String($0) }.joined()
        lines = String(decoding: file.sql, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The names of the code that the step runs, in order.
    var code: [String] { lines.compactMap(Self.code) }

    private static func code(_ line: Substring) -> String? {
        let mark = "-- code: "
        return line.hasPrefix(mark) ? String(line.dropFirst(mark.count)) : nil
    }

    /// Runs the step in the migrator's transaction.
    func apply(to database: Database) throws {
        var sql = ""
        for line in lines {
            guard let name = Self.code(line) else {
                sql += line + "\n"
                continue
            }
            guard let code = Schema.code[name] else {
                throw EventStoreError(.corrupt, message: "step \(identity) asks for code that is not there: \(name)")
            }
            try database.execute(sql: sql)
            try code(database)
            sql = ""
        }
        try database.execute(sql: sql)
    }
}

// MARK: - Tables that are made while the program runs

extension Schema {
    /// A table of the view, as it is now: a rebuild makes copies of it. Step 2 has it as it was when it was written,
    /// and stays so.
    static func appointmentTable(_ name: String) -> String {
        """
        CREATE TABLE \(name) (
            appointment BLOB PRIMARY KEY,
            insured TEXT,
            country TEXT NOT NULL,
            schedule INTEGER NOT NULL,
            created INTEGER NOT NULL,
            status TEXT NOT NULL,
            updated INTEGER NOT NULL,
            processed INTEGER,
            center INTEGER,
            specialty INTEGER,
            medic INTEGER,
            date INTEGER,
            reason TEXT,
            message TEXT,
            version INTEGER NOT NULL,
            leaf BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        """
    }

    /// The indexes of a table of the view, by their first column. Names of indexes stay when a table is renamed, so a
    /// mark keeps them apart.
    static func appointmentIndexes(_ table: String, mark: String) -> [(column: String, sql: String)] {
        ["insured", "status", "country"].map { column in
            (column, "CREATE INDEX IF NOT EXISTS view_\(mark)_by_\(column) ON \(table) (\(column), created)")
        }
    }
}

import Dispatch
import EventStore
import GRDB
import GRDBSQLite

/// What goes through a whole history at the least: the limits of a rebuild and of a verification.
extension SQLiteCeiling {
    /// Makes rows as the view has them from the events of a ledger's file: one statement of plain SQL in a file next to
    /// it, then the indexes. It looks at no hash, opens no sealed data, and checks nothing.
    ///
    /// - Parameters:
    ///   - ledger: the ledger's file.
    ///   - path: where the rows are made.
    /// - Returns: events a second.
    /// - Throws: what SQLite says.
    static func rebuild(of ledger: String, at path: String) throws -> Double {
        try perSecond(of: ledger, beside: path) { database in
            try database.execute(
                sql: """
                    CREATE TABLE rows (appointment BLOB PRIMARY KEY, insured TEXT, country TEXT, schedule INTEGER,
                        created INTEGER, status TEXT, updated INTEGER, slot TEXT, failure TEXT, version INTEGER,
                        leaf BLOB) STRICT, WITHOUT ROWID;
                    INSERT INTO rows
                        SELECT stream, max(json_extract(text, '$.personal.insured.subject')), country,
                            max(json_extract(text, '$.data.scheduleId')), min(at), type, at,
                            max(json_extract(text, '$.data.schedule.date')), max(json_extract(text, '$.data.reason')),
                            max(version), leaf
                        FROM (SELECT *, CAST(entry AS TEXT) AS text FROM ledger.events ORDER BY stream, version)
                        GROUP BY stream;
                    CREATE INDEX rows_by_insured ON rows (insured, created);
                    CREATE INDEX rows_by_status ON rows (status, created);
                    CREATE INDEX rows_by_country ON rows (country, created);
                    """)
            return try Int.fetchOne(database, sql: "SELECT sum(version) FROM rows") ?? 0
        }
    }

    /// Reads each entry of a ledger's file and hashes it, on one thread. It compares the hash and nothing else.
    ///
    /// - Parameters: as of `rebuild`.
    /// - Returns: events a second.
    /// - Throws: what SQLite says.
    static func hash(of ledger: String, at path: String) throws -> Double {
        try perSecond(of: ledger, beside: path) { database in
            // Read where SQLite holds them: GRDB's rows would copy each entry.
            let cached = try database.cachedStatement(sql: "SELECT entry, leaf FROM ledger.events ORDER BY position")
            let statement = cached.sqliteStatement
            defer { sqlite3_reset(statement) }
            func bytes(_ column: CInt) -> UnsafeRawBufferPointer {
                let start = sqlite3_column_blob(statement, column)
                return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
            }
            var same = 0
            while true {
                let code = sqlite3_step(statement)
                if code == SQLITE_DONE { return same }
                guard code == SQLITE_ROW else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
                if Hash.leaf(of: bytes(0)) == Hash(raw: bytes(1)) { same += 1 }
            }
        }
    }

    /// How many events a second a piece of work gets through that gives their number.
    private static func perSecond(
        of ledger: String, beside path: String, _ work: (Database) throws -> Int
    ) throws -> Double {
        try DatabaseQueue(path: path).writeWithoutTransaction { database in
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
            try database.execute(sql: "ATTACH ? AS ledger", arguments: [ledger])
            let start = DispatchTime.now()
            let events = try work(database)
            return Double(events) * 1e9 / Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds)
        }
    }
}

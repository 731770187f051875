import Dispatch
import GRDB

extension SQLiteCeiling {
    /// Makes rows as the view has them from the events of a ledger's file: one statement of plain SQL in a file beside
    /// it, then the indexes. It looks at no hash, opens no sealed data, and checks nothing.
    ///
    /// - Parameters:
    ///   - ledger: the ledger's file.
    ///   - path: where the rows are made.
    /// - Returns: how many rows were made, and in how many seconds.
    /// - Throws: what SQLite says.
    package static func rebuild(of ledger: String, at path: String) throws -> (rows: Int, seconds: Double) {
        let queue = try DatabaseQueue(path: path)
        return try queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
            try database.execute(sql: "ATTACH ? AS ledger", arguments: [ledger])
            let start = DispatchTime.now()
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
            let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
            return (try Int.fetchOne(database, sql: "SELECT count(*) FROM rows") ?? 0, seconds)
        }
    }
}

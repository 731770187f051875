import EventStore
import GRDB

/// How far the chains of records have come, by their names.
enum SQLiteRecordChain {
    /// How far a chain has come.
    ///
    /// - Throws: `corrupt` when its row is gone.
    static func read(_ name: String, in database: Database) throws -> RecordChain {
        let row = try database.row("SELECT count, hash FROM record_chains WHERE name = ?", [name]) {
            RecordChain(count: $0[0], end: try $0.hash(1))
        }
        guard let row else {
            throw EventStoreError(
                .corrupt, message: "the end of the chain of \(name) is gone from the file: restore a backup")
        }
        return row
    }

    /// Takes a new record in, in the transaction that stores it.
    ///
    /// - Returns: its hash, to be stored with it.
    static func append(_ fields: [String?], to name: String, in database: Database) throws -> Hash {
        var chain = try read(name, in: database)
        let hash = chain.append(fields)
        try database.run("UPDATE record_chains SET count = ?, hash = ? WHERE name = ?", [chain.count, hash.blob, name])
        return hash
    }
}

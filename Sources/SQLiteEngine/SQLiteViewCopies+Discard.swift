import EventStore
import GRDB
import Projections

/// What becomes of a table that is no longer wanted. SQLite overwrites what is dropped, so that nothing of an erased
/// person stays in the file, and for a large table that takes longer than a writer should wait. So a table is put aside
/// in the transaction that has no more use for it, and emptied afterwards, a piece a transaction. Where a process dies
/// in between, the next one that works on sets goes on.
extension SQLiteViewCopies {
    /// The name of the table that is being emptied.
    private static let gone = "appointments_gone"
    /// The most rows that are taken away in one transaction.
    private static let pieceRows = 5000

    static func discard(_ name: String, in database: Database) throws {
        guard ViewCopy.isName(name) else { return }
        try discard(table: table(name), in: database)
        try database.run("DELETE FROM view_sets WHERE name = ?", [name])
    }

    /// Puts a table aside, if it is there.
    static func discard(table: String, in database: Database) throws {
        guard try isThere(table, in: database) else { return }
        // Two processes may discard together: then the second table goes the long way.
        let isFree = try !isThere(gone, in: database)
        try database.execute(sql: isFree ? "ALTER TABLE \(table) RENAME TO \(gone)" : "DROP TABLE \(table)")
    }

    /// Empties and drops what was put aside.
    func clear() async throws(EventStoreError) {
        guard try await file.read({ try Self.isThere(Self.gone, in: $0) }) else { return }
        while try await file.write({ try Self.clearPiece(in: $0.database) }) {}
    }

    /// Asks the file: what GRDB remembers of a schema knows nothing of other connections.
    private static func isThere(_ table: String, in database: Database) throws -> Bool {
        try database.row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [table]) { _ in true }
            ?? false
    }

    /// - Returns: whether there is more to do.
    private static func clearPiece(in database: Database) throws -> Bool {
        guard try isThere(gone, in: database) else { return false }
        let index = try String.fetchOne(
            database,
            sql: "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            arguments: [gone])
        if let index {
            try database.execute(sql: "DROP INDEX \(index)")
            return true
        }
        try database.execute(
            sql: """
                DELETE FROM \(gone) WHERE appointment IN (SELECT appointment FROM \(gone) LIMIT \(pieceRows))
                """)
        if database.changesCount > 0 { return true }
        try database.execute(sql: "DROP TABLE \(gone)")
        return false
    }
}

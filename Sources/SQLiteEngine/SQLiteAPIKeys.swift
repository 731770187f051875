package import EventStore
import GRDB
package import Handlers

/// The API keys in SQLite.
package final class SQLiteAPIKeys: APIKeys {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    private static let columns = "name, role, created, revoked"

    package func add(_ key: APIKey, digest: Hash) async throws(EventStoreError) {
        try await file.write { writing in
            let taken = try writing.database.row("SELECT 1 FROM api_keys WHERE name = ?", [key.name]) { _ in true }
            if taken != nil { throw EventStoreError.nameTaken(key.name) }
            try writing.database.run(
                "INSERT INTO api_keys (digest, \(Self.columns)) VALUES (?, ?, ?, ?, ?)",
                [
                    digest.blob, key.name, key.role.rawValue, key.createdAt.milliseconds, key.revokedAt?.milliseconds,
                ])
        }
    }

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        try await file.read {
            try $0.row("SELECT \(Self.columns) FROM api_keys WHERE digest = ?", [digest.blob], Self.key)
        }
    }

    package func list() async throws(EventStoreError) -> [APIKey] {
        try await file.read { try $0.rows("SELECT \(Self.columns) FROM api_keys ORDER BY name", [], Self.key) }
    }

    package func revoke(_ name: String, at now: Timestamp) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            try writing.database.run(
                "UPDATE api_keys SET revoked = ? WHERE name = ? AND revoked IS NULL", [now.milliseconds, name])
            return writing.database.changesCount > 0
        }
    }

    private static func key(_ row: Row) throws -> APIKey {
        APIKey(name: row[0], role: try row.value(1), createdAt: row.moment(2), revokedAt: row.momentIfPresent(3))
    }
}

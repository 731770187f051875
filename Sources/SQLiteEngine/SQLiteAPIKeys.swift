package import EventStore
import Foundation
import GRDB

/// The API keys in SQLite: a table of the keys, and their records, written together.
package final class SQLiteAPIKeys: APIKeys {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    private static let columns = "name, role, digest, created, revoked"
    private static let recordColumns = "number, at, actor, change, name, role, digest, hash"

    package func carryOut(
        _ command: KeyCommand, by actor: String, at now: Timestamp
    ) async throws(EventStoreError) -> [KeyRecord] {
        try await file.write { writing in
            let database = writing.database
            let held = try database.rows(
                "SELECT \(Self.columns) FROM api_keys WHERE name = ?", [command.name], Self.key)
            let history = KeyHistory(
                try database.rows(
                    "SELECT \(Self.recordColumns) FROM key_records WHERE name = ? ORDER BY number", [command.name]
                ) { row in
                    guard let record = KeyRecord(fields: try Self.record(row).fields) else { throw row.damaged(3) }
                    return record
                })
            // What was changed without this program must not get a record that makes it look right.
            guard held.inOrder == history.keys.inOrder else {
                throw EventStoreError.unlikeRecords(command.name)
            }
            let records = try command.records(on: history.keys, by: actor, at: now)
            try Self.append(records, to: database)
            for record in records { try Self.apply(record, to: database) }
            return records
        }
    }

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? {
        try await file.read {
            try $0.row("SELECT \(Self.columns) FROM api_keys WHERE digest = ?", [digest.blob], Self.key)
        }
    }

    package func list() async throws(EventStoreError) -> [APIKey] {
        try await file.read { try $0.rows("SELECT \(Self.columns) FROM api_keys", [], Self.key).inOrder }
    }

    package func records() async throws(EventStoreError) -> [ChainedRecord] {
        try await file.read {
            try $0.rows("SELECT \(Self.recordColumns) FROM key_records ORDER BY number", [], Self.record)
        }
    }

    /// Gives keys their records that were made before records were kept.
    static func adoptKeys(in database: Database) throws {
        let keys = try database.rows("SELECT \(columns) FROM api_keys", [], key)
        try append(KeyRecord.ofMigrated(keys.inOrder), to: database)
    }

    private static func append(_ records: [KeyRecord], to database: Database) throws {
        let end = try database.row(
            "SELECT number, hash FROM key_records ORDER BY number DESC LIMIT 1"
        ) { RecordChain(count: $0[0], end: try $0.hash(1)) }
        var chain = end ?? RecordChain(KeyRecord.chainName)
        for record in records {
            let (fields, hash) = (record.fields, chain.append(record.fields))
            try database.run(
                "INSERT INTO key_records (\(recordColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [chain.count, fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], hash.blob])
        }
    }

    private static func apply(_ record: KeyRecord, to database: Database) throws {
        switch record.change {
        case .created, .rotated:
            try database.run(
                "INSERT INTO api_keys (\(columns)) VALUES (?, ?, ?, ?, NULL)",
                [record.name, record.role.rawValue, record.digest?.blob, record.at.milliseconds])
        case .revoked:
            try database.run(
                "UPDATE api_keys SET revoked = ? WHERE digest = ?", [record.at.milliseconds, record.digest?.blob])
        case .roleChanged:
            try database.run(
                "UPDATE api_keys SET role = ? WHERE name = ? AND revoked IS NULL", [record.role.rawValue, record.name])
        }
    }

    private static func key(_ row: Row) throws -> APIKey {
        APIKey(
            name: row[0], role: try row.value(1), digest: try row.hash(2), createdAt: row.moment(3),
            revokedAt: row.momentIfPresent(4))
    }

    private static func record(_ row: Row) throws -> ChainedRecord {
        ChainedRecord(number: row[0], fields: (1...6).map { row[$0] }, hash: try? row.hash(7))
    }
}

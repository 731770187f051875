package import EventStore
import Foundation
import GRDB

/// Who looked at the events, in SQLite.
package final class SQLiteAccessLog: AccessLog {
    private let file: SQLiteFile

    /// What its chain is called.
    static let name = "accesses"

    package init(_ file: SQLiteFile) { self.file = file }

    package func record(_ access: AccessRecord) async throws(EventStoreError) {
        try await file.write { writing in
            let database = writing.database
            let last = try database.row("SELECT max(id) FROM audit_access") { $0[0] as Int? } ?? nil
            let id = (last ?? 0) + 1
            let hash = try SQLiteRecordChain.append(access.fields(id), to: Self.name, in: database)
            try database.run(
                "INSERT INTO audit_access (id, at, caller, filters, rows, hash) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    id, access.at.milliseconds, access.caller, String(decoding: access.filters, as: UTF8.self),
                    access.rows, hash.blob,
                ])
        }
    }

    package func accesses(
        matching filter: AccessFilter, limit: Int
    ) async throws(EventStoreError) -> [AccessRecord] {
        try await file.read { database in
            var query = Query("SELECT at, caller, filters, rows FROM audit_access")
            query.require("caller = ?", filter.caller)
            query.require("at >= ?", filter.from?.milliseconds)
            query.require("at <= ?", filter.to?.milliseconds)
            query.sql += " ORDER BY id DESC LIMIT ?"
            query.arguments += [max(limit, 0)]
            return try database.rows(query.sql, query.arguments) {
                AccessRecord(at: $0.moment(0), caller: $0[1], filters: Array(($0[2] as String).utf8), rows: $0[3])
            }
        }
    }
}

extension SQLiteAccessLog: ChainedRecords {
    package var chainName: String { Self.name }

    package func chain() async throws(EventStoreError) -> RecordChain {
        try await file.read { try SQLiteRecordChain.read(Self.name, in: $0) }
    }

    package func records(after number: Int?, limit: Int) async throws(EventStoreError) -> [ChainedRecord] {
        try await file.scan { try Self.records(after: number, limit: limit, in: $0) }
    }

    /// The accesses as they stand, in the order of their chain.
    static func records(after number: Int?, limit: Int, in database: Database) throws -> [ChainedRecord] {
        try database.stored(
            "SELECT id, at, caller, filters, rows, hash FROM audit_access WHERE id > ? ORDER BY id LIMIT ?",
            [number ?? .min, limit]
        ) { row in
            ChainedRecord(
                number: row.integer(0), fields: [0, 1, 2, 3, 4].map { row.text($0) }, hash: Hash(raw: row.bytes(5)))
        }
    }

    /// Takes the accesses that were recorded before there was a chain into it, as they stand.
    static func chainRecords(in database: Database) throws {
        var chain = RecordChain(name)
        var place: Int?
        while true {
            let page = try records(after: place, limit: 1000, in: database)
            guard let last = page.last else { break }
            for record in page {
                try database.run(
                    "UPDATE audit_access SET hash = ? WHERE id = ?", [chain.append(record.fields).blob, record.number])
            }
            place = last.number
        }
        try database.run("INSERT INTO record_chains VALUES (?, ?, ?)", [name, chain.count, chain.end.blob])
    }
}

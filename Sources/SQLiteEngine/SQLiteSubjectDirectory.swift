package import EventStore
import Foundation
import GRDB

/// Who the subject ids mean, in SQLite.
package final class SQLiteSubjectDirectory: SubjectDirectory {
    private let file: SQLiteFile

    package init(_ file: SQLiteFile) { self.file = file }

    private static let columns = "id, country, insured, key_number, wrapped_key"

    package func subject(of person: PersonName) async throws(EventStoreError) -> Subject? {
        try await file.read { try Self.subject(of: person, in: $0) }
    }

    package func subject(_ id: Identifier) async throws(EventStoreError) -> Subject? {
        try await file.read { try Self.subject(id, in: $0) }
    }

    package func subjects(_ ids: Set<Identifier>) async throws(EventStoreError) -> [Identifier: Subject] {
        try await file.read { database in
            var rows: [Identifier: Subject] = [:]
            rows.reserveCapacity(ids.count)
            // In the order of the index, so that neighbours share its pages.
            for id in ids.sorted() {
                try database.each("SELECT \(Self.columns) FROM subjects WHERE id = ?", [id.blob]) { row in
                    rows[id] = Subject(
                        id: id, person: PersonName(country: row.text(1), insured: row.text(2)),
                        keyNumber: row.integer(3), wrappedKey: Array(row.bytes(4)))
                }
            }
            return rows
        }
    }

    static func subject(_ id: Identifier, in database: Database) throws -> Subject? {
        try database.row("SELECT \(columns) FROM subjects WHERE id = ?", [id.blob], subject)
    }

    package func add(_ subject: Subject) async throws(EventStoreError) -> Subject {
        try await file.write { writing in
            if let row = try Self.subject(of: subject.person, in: writing.database) { return row }
            try writing.database.run(
                "INSERT INTO subjects (\(Self.columns)) VALUES (?, ?, ?, ?, ?)",
                [
                    subject.id.blob, subject.person.country, subject.person.insured, subject.keyNumber,
                    Data(subject.wrappedKey),
                ])
            return subject
        }
    }

    /// Some row, to try a key on; nil where there is none.
    package func any() async throws(EventStoreError) -> Subject? {
        try await file.read { try $0.row("SELECT \(Self.columns) FROM subjects LIMIT 1", [], Self.subject) }
    }

    private static func subject(of person: PersonName, in database: Database) throws -> Subject? {
        try database.row(
            "SELECT \(columns) FROM subjects WHERE country = ? AND insured = ?", [person.country, person.insured],
            subject)
    }

    private static func subject(_ row: Row) throws -> Subject {
        Subject(
            id: try row.identifier(0), person: PersonName(country: row[1], insured: row[2]), keyNumber: row[3],
            wrappedKey: try row.bytes(4))
    }
}

package import EventStore
import Foundation
import GRDB
package import LogService
package import TransparencyLog

/// What a witness keeps of each log, in SQLite.
package final class SQLiteWitnessStore: WitnessStore {
    private let file: SideFile

    package init(_ file: SideFile) { self.file = file }

    package func note(of log: Hash) async throws(EventStoreError) -> [UInt8]? {
        try await file.perform { try Self.note(of: log, in: $0) }
    }

    package func step(
        _ log: Hash, _ decide: @escaping @Sendable (_ last: [UInt8]?) throws(EventStoreError) -> WitnessStep
    ) async throws(EventStoreError) -> AddCheckpointAnswer {
        try await file.perform { database in
            let step = try decide(try Self.note(of: log, in: database))
            if let stored = step.stored {
                try database.run(
                    """
                    INSERT INTO logs VALUES (?, ?, ?)
                    ON CONFLICT (log) DO UPDATE SET size = excluded.size, note = excluded.note
                    """, [log.blob, stored.size, Data(stored.note)])
            }
            return step.answer
        }
    }

    private static func note(of log: Hash, in database: Database) throws -> [UInt8]? {
        try database.row("SELECT note FROM logs WHERE log = ?", [log.blob]) { try $0.bytes(0) }
    }
}

package import EventStore
import GRDB
package import Projections

extension SQLiteAppointmentView: ConsumerControl {
    package func names() async throws(EventStoreError) -> [ConsumerName] {
        try await file.read { database in
            try database.rows(
                """
                SELECT projection FROM checkpoints UNION SELECT projection FROM parked
                UNION SELECT projection FROM paused ORDER BY projection
                """
            ) { ConsumerName($0[0] as String) }.compactMap(\.self)
        }
    }

    package func pausedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? {
        try await file.read { try Self.pausedAt(projection, in: $0) }
    }

    package func movedAt(_ projection: ConsumerName) async throws(EventStoreError) -> Timestamp? {
        try await file.read { database in
            try database.row("SELECT moved FROM checkpoints WHERE projection = ?", [projection.description]) {
                $0.momentIfPresent(0)
            } ?? nil
        }
    }

    package func pause(_ projection: ConsumerName, at now: Timestamp) async throws(EventStoreError) {
        try await file.write { writing in
            try writing.database.run(
                "INSERT OR IGNORE INTO paused VALUES (?, ?)", [projection.description, now.milliseconds])
        }
    }

    package func resume(_ projection: ConsumerName) async throws(EventStoreError) -> Bool {
        try await file.write { writing in
            try writing.database.run("DELETE FROM paused WHERE projection = ?", [projection.description])
            return writing.database.changesCount > 0
        }
    }

    package func forget(_ projection: ConsumerName) async throws(EventStoreError) {
        try await file.write { writing in
            for table in ["checkpoints", "parked", "paused"] {
                try writing.database.run("DELETE FROM \(table) WHERE projection = ?", [projection.description])
            }
        }
    }

    static func pausedAt(_ projection: ConsumerName, in database: Database) throws -> Timestamp? {
        try database.row("SELECT at FROM paused WHERE projection = ?", [projection.description]) { $0.moment(0) }
    }
}

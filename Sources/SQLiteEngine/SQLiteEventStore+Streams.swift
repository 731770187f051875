package import EventStore
import Foundation
import GRDB
package import Projections

extension SQLiteEventStore: StreamScan {
    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        try await file.scan { database in
            // Both are answered from the index over streams alone.
            let edge = "SELECT stream FROM events WHERE stream > ? ORDER BY stream, version LIMIT 1 OFFSET ?"
            let last = "SELECT max(stream) FROM events WHERE stream > ?"
            let after = stream?.id.blob ?? Data()
            let found =
                try database.row(edge, [after, max(events, 1) - 1]) { try $0.identifier(0) }
                ?? database.row(last, [after]) { $0.hasNull(atIndex: 0) ? nil : try $0.identifier(0) } ?? nil
            return found.map { StreamRange(after: stream, through: StreamID($0)) }
        }
    }

    package func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        try await file.scan { database in
            try database.rows(
                "SELECT \(Self.columns) FROM events WHERE stream > ? AND stream <= ? ORDER BY stream, version",
                [range.after?.id.blob ?? Data(), range.through.id.blob], Self.event)
        }
    }
}

package import EventStore
import Foundation
import GRDB
package import Projections

extension SQLiteEventStore: StreamScan {
    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        // Both are answered from the index over streams alone, so that no scan of events has to end first.
        try await file.read { database in
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
            try Self.events(
                "SELECT \(Self.columns) FROM events WHERE stream > ? AND stream <= ? ORDER BY stream, version",
                [range.after?.id.blob ?? Data(), range.through.id.blob], in: database)
        }
    }
}

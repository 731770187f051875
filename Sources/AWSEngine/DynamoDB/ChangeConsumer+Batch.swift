package import EventStore
import Handlers
package import Logging

extension ChangeConsumer {
    /// Takes in the records of one batch, part by part, in their order.
    ///
    /// - Parameter part: how many records are taken in together.
    /// - Returns: the index of the first record that is to come again, with all after it; nil when none is.
    package func take(in records: [JSONValue], part: Int, logger: Logger) async -> Int? {
        var first = 0
        while first < records.count {
            do throws(EventStoreError) {
                var read: [ChangeRecord] = []
                for record in records[first..<min(first + max(part, 1), records.count)] {
                    do throws(EventStoreError) {
                        read.append(try ChangeRecord(record))
                    } catch {
                        // What stands before it is taken in; then it is the first, and fails alone.
                        if read.isEmpty { throw error }
                        break
                    }
                }
                try await take(in: read)
                first += read.count
            } catch {
                logger.warning("records of the change stream are to come again", metadata: ["error": "\(error)"])
                return first
            }
        }
        return nil
    }

    /// Takes in some records together.
    ///
    /// - Throws: `unavailable`, or what keeps them from being taken in; they are to come again.
    func take(in records: [ChangeRecord]) async throws(EventStoreError) {
        var (events, tamperings): ([RecordedEvent], [Tampering]) = ([], [])
        for record in records {
            switch record.change {
            case .appended(let event): events.append(event)
            case .tampered(let tampering): tamperings.append(tampering)
            case .epochBegan: break
            }
        }
        if !events.isEmpty || !tamperings.isEmpty { try await take(events, tamperings) }
    }

    /// The same consumer, which tells of the events that it has taken in.
    package func telling(_ told: @escaping @Sendable ([RecordedEvent]) -> Void) -> ChangeConsumer {
        ChangeConsumer(name) { events, tamperings throws(EventStoreError) in
            try await take(events, tamperings)
            told(events)
        } lagging: { versions throws(EventStoreError) in
            try await lagging(versions)
        }
    }
}

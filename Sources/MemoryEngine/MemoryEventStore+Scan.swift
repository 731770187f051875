package import EventStore
package import Projections

extension MemoryEventStore: StreamScan {
    package func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange? {
        var count = 0
        var last: StreamID?
        for (id, length) in streamLengths where stream.map({ $0 < id }) ?? true {
            (last, count) = (id, count + length)
            if count >= events { break }
        }
        return last.map { StreamRange(after: stream, through: $0) }
    }

    package func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent] {
        streamLengths.filter { range.contains($0.0) }.flatMap { readNow($0.0) }
    }
}

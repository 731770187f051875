package import Appointments
package import EventStore

/// Whole streams that follow each other in the order of their ids: what is read and folded together.
package struct StreamRange: Equatable, Sendable {
    /// The stream before the first one; nil for the first range.
    package let after: StreamID?
    /// The last stream.
    package let through: StreamID

    package init(after: StreamID?, through: StreamID) { (self.after, self.through) = (after, through) }

    /// Whether a stream belongs to the range.
    package func contains(_ stream: StreamID) -> Bool {
        (after.map { $0 < stream } ?? true) && stream <= through
    }
}

/// The events of all streams, stream by stream: what a rebuild reads. However many streams there are, only those of
/// one range have to be in memory.
package protocol StreamScan: Sendable {
    /// The next streams after one, in the order of their ids: so many that they have about `events` events.
    ///
    /// - Returns: nil when there is no further stream.
    /// - Throws: `unavailable` or `corrupt`.
    func range(after stream: StreamID?, events: Int) async throws(EventStoreError) -> StreamRange?

    /// The events of the streams of a range, each stream's together and in order, streams in the order of their ids.
    ///
    /// - Throws: `unavailable`, or `corrupt` when a stored event contradicts its hash or its place.
    func events(in range: StreamRange) async throws(EventStoreError) -> [RecordedEvent]
}

/// The rows of a view in the order of ids: what is compared with the events, range by range.
package protocol RowScan: Sendable {
    /// The rows of the appointments of a range, in the order of their ids.
    ///
    /// The first range also has what stands before all ids, the rest what stands after them.
    ///
    /// - Throws: `unavailable`, or `corrupt` when one of the rows can't be read, or stands under an id that is none.
    func rows(in range: StreamRange) async throws(EventStoreError) -> [AppointmentRow]

    /// What the rows of a range stand under, also those that can't be read.
    func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey]
}

extension RowScan {
    /// Of a view that knows no other rows than those that can be read.
    package func keys(in range: StreamRange) async throws(EventStoreError) -> [RowKey] {
        try await rows(in: range).map { .appointment($0.appointment) }
    }
}

/// What a row of a view stands under.
package enum RowKey: Hashable, Sendable {
    case appointment(AppointmentID)
    /// An id that no program writes, in the words of the engine.
    case stray(String)
}

extension StreamRange {
    /// One stream alone.
    package static func only(_ stream: StreamID) -> StreamRange {
        let id = stream.id
        let before = Identifier(high: id.low == 0 ? id.high &- 1 : id.high, low: id.low &- 1)
        return StreamRange(after: id.high | id.low == 0 ? nil : StreamID(before), through: stream)
    }

    /// Whether it goes on to the end.
    package var isRest: Bool { self == .rest(after: after) }

    /// Everything after a stream.
    package static func rest(after stream: StreamID?) -> StreamRange {
        StreamRange(after: stream, through: StreamID(Identifier(high: .max, low: .max)))
    }
}

/// What a writer believes the version of a stream to be.
package enum Expectation: Hashable, Sendable {
    /// Whatever it is.
    case any
    /// The stream has no event yet.
    case empty
    /// The stream is at this version.
    case version(Int)
}

/// Gives out the events of one stream at a time: a store, or a copy of one.
package protocol StreamReader: Sendable {
    /// Reads the events of a stream from a version on, in order; none for a stream that does not exist.
    ///
    /// - Throws: `unavailable`, or `corrupt` when a stored event contradicts its hash or its place.
    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent]
}

extension StreamReader {
    /// Reads all events of a stream, in order.
    package func read(_ stream: StreamID) async throws(EventStoreError) -> [RecordedEvent] {
        try await read(stream, from: 1)
    }
}

/// The events of all streams, append-only.
///
/// Every implementation passes the same contract suite (`EventStoreContract`).
package protocol EventStore: StreamReader {
    /// Appends events to one stream, all or none, and returns them as they are stored once that is durable.
    ///
    /// Appending the very same events again at the same place is a retry whose answer was lost: it succeeds, returns
    /// what is there and writes nothing.
    /// - Throws: `conflict`, `unavailable`, `tooLarge`, `corrupt`, or `invalid`.
    func append(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> [RecordedEvent]
}

/// The events of all streams in one order without holes.
package protocol EventFeed: Sendable {
    /// Reads at most `limit` events whose position is greater than `position`, in order.
    ///
    /// A reader that saw position n never later finds a new event at or below n.
    /// - Throws: `unavailable` or `corrupt`.
    func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent]

    /// Reads of the same events what a chain is checked by. A store that can do so without making the events does.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func links(after position: Int, limit: Int) async throws(EventStoreError) -> [EventLink]

    /// The position of the last event; 0 when there is none.
    func head() async throws(EventStoreError) -> Int

    /// How many things stand among the events that are none, and have no position. A store that can't hold such has 0.
    func foreignItems() async throws(EventStoreError) -> Int

    /// The places of events that nobody comes to, before the first position or after the head: the first 100 of them.
    /// A store that can't hold such has none.
    func positionsOutside() async throws(EventStoreError) -> [Int]

    /// What the store's own counts of events say wrongly, one sentence each. A store that keeps none has nothing to
    /// say.
    func miscounts() async throws(EventStoreError) -> [String]
}

extension EventFeed {
    package func foreignItems() async throws(EventStoreError) -> Int { 0 }

    package func positionsOutside() async throws(EventStoreError) -> [Int] { [] }

    package func miscounts() async throws(EventStoreError) -> [String] { [] }

    package func links(after position: Int, limit: Int) async throws(EventStoreError) -> [EventLink] {
        try await events(after: position, limit: limit).map(EventLink.init(_:))
    }
}

/// Where a stream ends: what an append is checked against. The rules of appending stand here, once for all engines.
package struct StreamHead: Sendable {
    /// The version of the last event; 0 for an empty stream.
    package let version: Int
    /// The leaf of the last event.
    package let leaf: Hash?

    package static let empty = StreamHead(version: 0, leaf: nil)

    package init(version: Int, leaf: Hash?) { (self.version, self.leaf) = (version, leaf) }

    /// What an engine has to do with an append.
    package enum Admission: Sendable {
        /// The events follow the head: store them.
        case write([Placed])
        /// The writer expected an earlier head: if the events stored from this version on are the very same, it is a
        /// retry and succeeds, else it is a conflict.
        case compare(from: Int)
    }

    /// An event that has got its place in its stream.
    package struct Placed: Sendable {
        package let entry: Entry
        package let leaf: Hash
        package let personal: [SealedField]
    }

    /// Decides what to do with an append to the stream that ends here.
    ///
    /// - Throws: `conflict` when the writer expected a later head, `tooLarge`, or `invalid`.
    package func admit(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation
    ) throws(EventStoreError) -> Admission {
        let expected = expectation.version
        if expected == nil, events.contains(where: { !$0.personal.isEmpty }) {
            throw EventStoreError(
                .invalid, message: "personal data is sealed for one version: append it expecting that version")
        }
        if let expected, expected < 0 {
            throw EventStoreError(.invalid, message: "no stream is at version \(expected): versions count from 1")
        }
        for event in events { try event.check() }
        if events.isEmpty { throw EventStoreError(.invalid, message: "an append holds no event") }
        if let expected, expected != version {
            if expected < version { return .compare(from: expected + 1) }
            throw conflict(stream, expecting: expectation)
        }
        return .write(try Self.place(events, in: stream, after: self))
    }

    /// Answers an append that found other events in its place: the stored ones if they are the very same.
    ///
    /// - Throws: `conflict` when they are not.
    package func resolve(
        _ events: [NewEvent], to stream: StreamID, expecting expectation: Expectation, before: Hash?,
        stored: [RecordedEvent]
    ) throws(EventStoreError) -> [RecordedEvent] {
        let mine = try Self.place(
            events, in: stream, after: StreamHead(version: expectation.version ?? version, leaf: before))
        let theirs = stored.prefix(mine.count)
        guard theirs.map(\.leaf) == mine.map(\.leaf) else { throw conflict(stream, expecting: expectation) }
        return Array(theirs)
    }

    private static func place(
        _ events: [NewEvent], in stream: StreamID, after head: StreamHead
    ) throws(EventStoreError) -> [Placed] {
        var placed: [Placed] = []
        var previous = head.leaf
        for (offset, event) in events.enumerated() {
            let entry = try Entry(event, stream: stream, version: head.version + 1 + offset, previous: previous)
            let leaf = Hash.leaf(of: entry.bytes)
            placed.append(Placed(entry: entry, leaf: leaf, personal: event.personal))
            previous = leaf
        }
        return placed
    }

    private func conflict(_ stream: StreamID, expecting expectation: Expectation) -> EventStoreError {
        EventStoreError(
            .conflict(expected: expectation, actual: version),
            message: "\(stream) is at version \(version), not \(expectation.version ?? 0): read it and decide again")
    }
}

extension Expectation {
    /// The version that is expected; nil for any.
    var version: Int? {
        switch self {
        case .any: nil
        case .empty: 0
        case .version(let version): version
        }
    }
}

extension StreamHead.Placed {
    /// The event as it reads once it is stored at a position.
    package func recorded(at position: Int?) -> RecordedEvent {
        RecordedEvent(
            position: position, entry: entry, leaf: leaf,
            sealed: Dictionary(uniqueKeysWithValues: personal.map { ($0.reference.field, $0.sealed) }))
    }
}

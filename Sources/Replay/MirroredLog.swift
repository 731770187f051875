package import EventStore
package import Projections

/// Answers auditors from the mirror as far as it has come, and from the store beyond it. The events are those of the
/// store, in its order, whoever answers.
///
/// A mirror that does not answer, or whose positions are not the store's since it kept a conflict, is passed over, and
/// so is one that is not this ledger's, or holds what this ledger does not.
package struct MirroredLog: AuditLog, StreamReader {
    private let mirror: any MirrorStore & AuditLog & StreamReader
    private let store: any AuditLog & StreamReader
    private let gate: MirrorGate

    /// - Parameter store: the store that the mirror follows.
    /// - Parameter identity: the ledger's; without it whose the mirror is goes unasked.
    package init(
        mirror: any MirrorStore & AuditLog & StreamReader, store: any AuditLog & StreamReader,
        identity: LedgerIdentity? = nil
    ) {
        (self.mirror, self.store) = (mirror, store)
        gate = MirrorGate(mirror, of: identity, store: store)
    }

    /// How far the mirror answers; nil where the store has to.
    private func reach() async throws(EventStoreError) -> Int? {
        let state = try await mirror.state()
        guard state.position == state.checkpoint, try await gate.standing(state, feed: nil).isOurs else { return nil }
        return state.position
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        var (events, end) = ([RecordedEvent](), position)
        do throws(EventStoreError) {
            if let reach = try await reach(), reach > position {
                events = try await mirror.events(matching: filter, after: position, limit: limit)
                // What was mirrored meanwhile may not be all that was appended up to there.
                events = Array(events.prefix { $0.position.map { $0 <= reach } ?? false })
                end = reach
            }
        } catch {
            try error.throwUnlessUnavailable()
        }
        guard events.count < limit else { return events }
        return events + (try await store.events(matching: filter, after: end, limit: limit - events.count))
    }

    package func counts() async throws(EventStoreError) -> [EventCount] { try await store.counts() }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        do throws(EventStoreError) {
            if try await reach() != nil { events = try await mirror.read(stream, from: version) }
        } catch {
            try error.throwUnlessUnavailable()
        }
        return try await events.wholeFrom(version, of: stream, beyond: store)
    }
}

/// The events under the positions of a mirror that numbers them itself, as on AWS, as far as it has come.
///
/// One appointment is answered from the store where the mirror has not come so far or is away; those events have no
/// position.
package struct MirrorNumberedLog: EventFeed, AuditLog, StreamReader {
    private let mirror: any MirrorStore & AuditLog & StreamReader
    private let store: any StreamReader
    private let gate: MirrorGate

    /// - Parameter store: the store that the mirror follows.
    /// - Parameter identity: the ledger's; without it whose the mirror is goes unasked.
    /// - Parameter compares: whether the mirror has to hold what the store holds, or else gives out nothing.
    package init(
        mirror: any MirrorStore & AuditLog & StreamReader, store: any StreamReader, identity: LedgerIdentity? = nil,
        compares: Bool = false
    ) {
        (self.mirror, self.store) = (mirror, store)
        gate = MirrorGate(mirror, of: identity, store: store, compares: compares)
    }

    package func head() async throws(EventStoreError) -> Int {
        try await gate.requireOurs()
        return try await mirror.state().position
    }

    package func events(after position: Int, limit: Int) async throws(EventStoreError) -> [RecordedEvent] {
        try await gate.requireOurs()
        return try await mirror.events(matching: EventFilter(), after: position, limit: limit)
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        try await gate.requireOurs()
        return try await mirror.events(matching: filter, after: position, limit: limit)
    }

    package func counts() async throws(EventStoreError) -> [EventCount] {
        try await gate.requireOurs()
        return try await mirror.counts()
    }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        do throws(EventStoreError) {
            try await gate.requireOurs()
            events = try await mirror.read(stream, from: version)
        } catch {
            try error.throwUnlessUnavailable()
        }
        return try await events.wholeFrom(version, of: stream, beyond: store)
    }
}

extension [RecordedEvent] {
    /// What a mirror has of a stream, and the rest from the store. A mirror that lost one in between answers for none.
    fileprivate func wholeFrom(
        _ version: Int, of stream: StreamID, beyond store: any StreamReader
    ) async throws(EventStoreError) -> [RecordedEvent] {
        let isWhole = zip(self, Swift.max(version, 1)...).allSatisfy { $0.version == $1 }
        let events = isWhole ? self : []
        let next = events.last.map { $0.version + 1 } ?? version
        return events + (try await store.read(stream, from: next))
    }
}

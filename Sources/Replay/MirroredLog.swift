package import EventStore
package import Projections

/// Answers auditors from the mirror as far as it has come, and from the store beyond it. The events are those of the
/// store, in its order, whoever answers.
///
/// A mirror that does not answer, or whose positions are not the store's since it kept a conflict, is passed over.
package struct MirroredLog: AuditLog, StreamReader {
    private let mirror: any MirrorStore & AuditLog & StreamReader
    private let store: any AuditLog & StreamReader

    /// - Parameter store: the store that the mirror follows.
    package init(mirror: any MirrorStore & AuditLog & StreamReader, store: any AuditLog & StreamReader) {
        (self.mirror, self.store) = (mirror, store)
    }

    package func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] {
        var (events, end) = ([RecordedEvent](), position)
        do throws(EventStoreError) {
            let state = try await mirror.state()
            if state.position == state.checkpoint, state.position > position {
                events = try await mirror.events(matching: filter, after: position, limit: limit)
                // What was mirrored meanwhile may not be all that was appended up to there.
                events = Array(events.prefix { $0.position.map { $0 <= state.position } ?? false })
                end = state.position
            }
        } catch {
            guard error.code == .unavailable else { throw error }
        }
        guard events.count < limit else { return events }
        return events + (try await store.events(matching: filter, after: end, limit: limit - events.count))
    }

    package func counts() async throws(EventStoreError) -> [EventCount] { try await store.counts() }

    package func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        do throws(EventStoreError) {
            let state = try await mirror.state()
            if state.position == state.checkpoint { events = try await mirror.read(stream, from: version) }
        } catch {
            guard error.code == .unavailable else { throw error }
        }
        // A mirror that lost one in between answers for none.
        let isWhole = zip(events, max(version, 1)...).allSatisfy { $0.version == $1 }
        if !isWhole { events = [] }
        let next = events.last.map { $0.version + 1 } ?? version
        return events + (try await store.read(stream, from: next))
    }
}

/// Which events are wanted. All conditions hold together; nil asks for nothing.
package struct EventFilter: Equatable, Sendable {
    /// The storage name of the kind of event.
    package var type: String?
    /// ISO 3166-1 alpha-2 code of the country.
    package var country: String?
    /// The streams that are wanted; an empty set wants none.
    package var streams: Set<StreamID>?
    package var actor: String?
    package var correlation: String?
    /// The first and the last moment, both included.
    package var from: Timestamp?
    package var to: Timestamp?

    package init(
        type: String? = nil, country: String? = nil, streams: Set<StreamID>? = nil, actor: String? = nil,
        correlation: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil
    ) {
        (self.type, self.country, self.streams, self.actor) = (type, country, streams, actor)
        (self.correlation, self.from, self.to) = (correlation, from, to)
    }

    /// Whether an event is wanted.
    package func matches(_ event: RecordedEvent) -> Bool {
        let entry = event.entry
        return (type == nil || entry.type == type) && (country == nil || entry.country == country)
            && (streams.map { $0.contains(entry.stream) } ?? true) && (actor == nil || entry.actor == actor)
            && (correlation == nil || entry.correlation == correlation) && (from.map { entry.at >= $0 } ?? true)
            && (to.map { entry.at <= $0 } ?? true)
    }
}

/// How many events there are of a type in a country.
package struct EventCount: Hashable, Sendable {
    package let type: String
    package let country: String
    package let count: Int

    package init(type: String, country: String, count: Int) {
        (self.type, self.country, self.count) = (type, country, count)
    }

    /// Counts events, by type and country.
    package static func count(_ events: [RecordedEvent]) -> [EventCount] {
        Dictionary(grouping: events) { [$0.entry.type, $0.entry.country] }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { EventCount(type: $0.key[0], country: $0.key[1], count: $0.value.count) }
    }
}

/// The events of all streams as auditors ask for them.
package protocol AuditLog: Sendable {
    /// Reads at most `limit` events that match and whose position is greater than `position`, in order.
    ///
    /// - Throws: `unavailable` or `corrupt`.
    func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent]

    /// How many events there are of each type and country, by type and country; without those there are none of.
    func counts() async throws(EventStoreError) -> [EventCount]
}

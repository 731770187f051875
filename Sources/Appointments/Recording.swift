package import EventStore

/// What an event carries besides what happened: who, when, and what it belongs to.
package struct EventContext: Sendable {
    package let at: Timestamp
    package let country: Country
    package let actor: String
    package let correlation: String
    package let causation: Identifier?

    package init(at: Timestamp, country: Country, actor: String, correlation: String, causation: Identifier?) {
        (self.at, self.country, self.actor) = (at, country, actor)
        (self.correlation, self.causation) = (correlation, causation)
    }
}

extension NewEvent {
    /// An appointment's event, ready to be appended.
    package init(_ event: AppointmentEvent, id: Identifier, context: EventContext, personal: [SealedField] = []) {
        self.init(
            type: event.type.rawValue, schema: Codec.schema(of: event.type), id: id, at: context.at,
            country: context.country.code, actor: context.actor, correlation: context.correlation,
            causation: context.causation, data: Codec.encode(event), personal: personal)
    }
}

/// An appointment as it was read: its state, and what the next event needs to know of its stream.
package struct LoadedAppointment: Sendable {
    package let state: Appointment
    package let events: [RecordedEvent]

    private init(state: Appointment, events: [RecordedEvent]) { (self.state, self.events) = (state, events) }

    /// Folds the recorded events of one stream.
    ///
    /// - Throws: `corrupt` when an event can't be read.
    package init(_ events: [RecordedEvent]) throws(EventStoreError) {
        var state = Appointment()
        for event in events { state.evolve(try Codec.decode(event.entry)) }
        (self.state, self.events) = (state, events)
    }

    /// The same with one more event, which was just appended; nil when it can't be read or does not follow.
    package func appending(_ event: RecordedEvent) -> LoadedAppointment? {
        guard event.version == events.count + 1, let fact = try? Codec.decode(event.entry) else { return nil }
        var state = state
        state.evolve(fact)
        return LoadedAppointment(state: state, events: events + [event])
    }

    /// What the stream's next writer expects.
    package var expectation: Expectation { events.last.map { .version($0.version) } ?? .empty }

    /// The subject of the insured person, as the first event names it.
    package var subject: Identifier? { events.first?.entry.personal.first { $0.field == "insured" }?.subject }
}

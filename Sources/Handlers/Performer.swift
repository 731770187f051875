package import Appointments
package import EventStore

/// Carries out the effects that handlers name: the thin asynchronous shell around them.
package struct Performer: Sendable {
    package let store: any EventStore
    package let subjects: SubjectKeys
    package let countries: [Country: any CountryDatabase]
    package let topics: any Topics
    package let bus: any EventBus
    /// The wall clock.
    package let now: @Sendable () -> Timestamp

    package init(
        store: any EventStore, subjects: SubjectKeys, countries: [Country: any CountryDatabase], topics: any Topics,
        bus: any EventBus, now: @escaping @Sendable () -> Timestamp
    ) {
        (self.store, self.subjects, self.countries) = (store, subjects, countries)
        (self.topics, self.bus, self.now) = (topics, bus, now)
    }

    /// Runs a handler to its end.
    ///
    /// - Throws: what a store throws that did not do what it was asked; the handler's input is to come again.
    package func run(_ procedure: some Procedure) async throws(EventStoreError) -> Completion {
        var procedure = procedure
        var outcome = Outcome.begin
        while true {
            let effect = procedure.next(outcome, now: now())
            if case .finish(let completion) = effect { return completion }
            outcome = try await perform(effect)
        }
    }

    private func perform(_ effect: Effect) async throws(EventStoreError) -> Outcome {
        switch effect {
        case .read(let stream): return .stream(try LoadedAppointment(try await store.read(stream)))
        case .append(let event, let stream, let expectation):
            return try await append(event, to: stream, expecting: expectation)
        case .subject(let person): return .subject(try await subjects.key(of: person))
        case .claim(let claim): return .claim(try await database(of: claim.country).claim(claim))
        case .release(let appointment, let country):
            try await database(of: country).release(appointment, at: now())
            return .released
        case .publish(let message, let topic):
            try await topics.publish(message.outgoing, to: topic)
            return .sent
        case .put(let message, let run):
            try await bus.put(message.event(replay: run))
            return .sent
        case .finish: preconditionFailure("finish is the end of a procedure, not an effect to carry out")
        }
    }

    private func append(
        _ event: NewEvent, to stream: StreamID, expecting expectation: Expectation
    ) async throws(EventStoreError) -> Outcome {
        do throws(EventStoreError) {
            guard let recorded = try await store.append([event], to: stream, expecting: expectation).first else {
                throw EventStoreError(.corrupt, message: "an append to \(stream) returned no event")
            }
            return .appended(recorded)
        } catch {
            if case .conflict = error.code { return .conflict }
            throw error
        }
    }

    private func database(of country: Country) throws(EventStoreError) -> any CountryDatabase {
        guard let database = countries[country] else {
            throw EventStoreError(.invalid, message: "no database is configured for country \(country.code)")
        }
        return database
    }
}

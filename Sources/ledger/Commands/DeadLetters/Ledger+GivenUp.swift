import Appointments
import EventStore
import Handlers
import HostSystem
import Logging
import Projections

extension Ledger {
    /// The first parked event of each appointment that a consumer has parked.
    func parked() async throws(EventStoreError) -> [(ConsumerName, ParkedEvent)] {
        var all: [(ConsumerName, ParkedEvent)] = []
        for name in Self.consumers {
            for event in try await views.parked(by: name) { all.append((name, event)) }
        }
        return all
    }

    /// The parked events that a name means, by those who park them.
    func parked(at place: ParkedPlace) async throws -> [(ConsumerName, ParkedEvent)] {
        let found = try await parked().filter {
            $0.1.appointment == place.appointment && $0.1.version == place.version
        }
        if found.isEmpty {
            throw Refusal("\(place.appointment)@\(place.version) is not parked: `ledger dlq list` shows what is")
        }
        return found
    }

    /// Lets a consumer try a parked appointment again; gives what parks it still.
    func retry(
        _ appointment: AppointmentID, of name: ConsumerName, _ logger: Logger
    ) async throws(EventStoreError) -> ParkedEvent? {
        if name == ProjectionRunner.projection {
            return try await ProjectionRunner(feed: store, store: store, views: views, people: people)
                .retry(appointment, now: System.now())
        }
        return try await RouterPump(feed: store, checkpoints: views, performer: performer, logger: logger)
            .retry(appointment)
    }

    func letter(_ id: String) async throws -> DeadLetter {
        guard let letter = try await deadLetters.letter(id) else {
            throw Refusal("there is no dead letter \(id): `ledger dlq list` shows all")
        }
        return letter
    }
}

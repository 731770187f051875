import Appointments
import EventStore
import Foundation
import HostSystem
import SQLiteEngine

/// Measures the store by itself: appends, lifecycles with the view, and loading and folding a stream.
struct StoreBench {
    let directory: String
    let events: Int
    let clients: Int

    /// Single durable appends to new streams, without the view.
    func append() async throws {
        let store = SQLiteEventStore(try SQLiteFile(path: directory + "/append.sqlite"), writesView: false)
        let requests = try Self.requests(events)
        var measurement = try await Measurement.run("append", clients: clients, operations: events) { index in
            _ = try await store.append([requests[index].event], to: requests[index].stream, expecting: .empty)
        }
        measurement.limitPerSecond = try limit(.append, operations: events)
        measurement.report()
    }

    /// Four events of one appointment after the other, each durable and visible in the view before the next.
    func lifecycle() async throws {
        let store = SQLiteEventStore(try SQLiteFile(path: directory + "/lifecycle.sqlite"))
        let requests = try Self.requests(events / 4)
        var measurement = try await Measurement.run(
            "lifecycle", clients: clients, operations: events / 4, eventsPerOperation: 4
        ) { index in
            try await Self.live(requests[index], in: store)
        }
        measurement.limitPerSecond = try limit(.lifecycle, operations: events / 4)
        measurement.report()
    }

    /// Reads the four events of a stream and folds them.
    func fold() async throws {
        let store = SQLiteEventStore(try SQLiteFile(path: directory + "/fold.sqlite"))
        let requests = try Self.requests(max(events / 4, 1))
        _ = try await Measurement.run("fill", clients: 64, operations: requests.count) { index in
            try await Self.live(requests[index], in: store)
        }
        let order = (0..<requests.count).shuffled()
        let measurement = try await Measurement.run("fold", clients: 1, operations: requests.count) { index in
            let loaded = try LoadedAppointment(try await store.read(requests[order[index]].stream))
            guard loaded.state.status == .completed else { throw BenchError("a stream did not fold to completed") }
        }
        measurement.report()
    }

    private func limit(_ workload: SQLiteCeiling.Workload, operations: Int) throws -> Double {
        try SQLiteCeiling(path: directory + "/limit-\(workload).sqlite")
            .eventsPerSecond(workload, clients: clients, operations: operations)
    }
}

// MARK: - Workload

extension StoreBench {
    struct Request: Sendable {
        let stream: StreamID
        let event: NewEvent
    }

    /// Requests with sealed persons, made before the clock starts: sealing is the API's work.
    static func requests(_ count: Int) throws -> [Request] {
        let keys = try KeyRing(master: System.random(32))
        let person = PersonName(country: "PE", insured: "00123")
        let subject = try keys.newSubject(
            person, id: .version4(random: (1, 2)), key: System.random(32), nonce: System.random(12))
        let key = try keys.key(of: subject)
        guard let schedule = ScheduleID(100) else { preconditionFailure("100 is an id") }
        return try (0..<count).map { _ in
            let now = System.now()
            let stream = AppointmentID(at: now, random: (.random(in: 0 ... .max), .random(in: 0 ... .max))).stream
            let field = try SealedField(
                "00123", field: "insured", key: key, stream: stream, version: 1, type: "requested",
                nonce: System.random(12))
            let event = NewEvent(
                .requested(Requested(schedule: schedule, country: .peru)), id: stream.id,
                context: EventContext(
                    at: now, country: .peru, actor: "anonymous", correlation: stream.id.description, causation: nil),
                personal: [field])
            return Request(stream: stream, event: event)
        }
    }

    /// Takes an appointment from its request to its end, as the handlers do it, without their messages.
    static func live(_ request: Request, in store: SQLiteEventStore) async throws {
        var last = try await store.append([request.event], to: request.stream, expecting: .empty)[0]
        guard let schedule = ScheduleID(100) else { preconditionFailure("100 is an id") }
        let slot = Slot(schedule: schedule, center: 1, specialty: 2, medic: 3, date: request.event.at)
        let steps: [AppointmentEvent] = [
            .routed(Routed(topic: "appointments-pe")),
            .countryProcessed(CountryProcessed(slot: slot, booking: request.stream.id)), .completed,
        ]
        for step in steps {
            let context = EventContext(
                at: last.entry.at, country: .peru, actor: "bench", correlation: last.entry.correlation,
                causation: last.entry.id)
            let id = NewEvent.derivedID(request.stream, version: last.version + 1, type: step.type.rawValue)
            last = try await store.append(
                [NewEvent(step, id: id, context: context)], to: request.stream, expecting: .version(last.version))[0]
        }
    }
}

/// Why a measurement is worth nothing.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Writes a line for people to standard error.
func report(_ line: String) { StandardStreams.write(Array("ledger-bench: \(line)\n".utf8), to: STDERR_FILENO) }

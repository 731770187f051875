import Appointments
package import EventStore
package import Projections
import Testing

/// Lives of appointments that a seed makes: each goes as far as chance has it, and they run into each other.
package struct RandomHistory {
    /// What the events make, by id: the fold, computed here and not by an engine.
    package let rows: [AppointmentRow]
    package let events: Int

    /// Writes a history.
    ///
    /// - Parameter first: the number of the first appointment; those that are there already go on.
    /// - Parameter start: when the first event happens, or soon after it.
    /// - Parameter pace: how many milliseconds lie between two events at least. From 1 on, the order of their times is
    ///   that of their positions.
    package static func write(
        to ledger: TestEngine, streams: Int, seed: UInt64, first: Int = 0, from start: Timestamp = Samples.noon,
        pace: Int64 = 0
    ) async throws -> RandomHistory {
        var random = SeededRandom(seed)
        var open = (first..<first + streams).map(Samples.appointment)
        var rows: [AppointmentID: AppointmentRow] = [:]
        var clock = start
        while !open.isEmpty {
            let index = Int(random.next() % UInt64(open.count))
            let appointment = open[index]
            clock = clock.adding(milliseconds: pace + Int64(random.next() % 3))
            let stored = try await ledger.store.read(appointment.stream)
            let state = try LoadedAppointment(stored).state
            let goesOn = stored.isEmpty || state.end == nil && random.next() % 5 > 0
            let step = goesOn ? next(state, &random) : nil
            guard let step else {
                rows[appointment] = try await fold(appointment, in: ledger)
                open.remove(at: index)
                continue
            }
            let version = stored.count + 1
            let digits = "0012\(random.next() % 10)"
            let sealed = version > 1 ? [] : [try await ledger.seal(digits, stream: appointment.stream)]
            let event = NewEvent(
                step, id: NewEvent.derivedID(appointment.stream, version: version, type: step.type.rawValue),
                context: EventContext(
                    at: clock, country: .peru, actor: "key:front-desk", correlation: "c-\(version)", causation: nil),
                personal: sealed)
            _ = try await ledger.store.append(
                [event], to: appointment.stream, expecting: version == 1 ? .empty : .version(version - 1))
        }
        return RandomHistory(
            rows: rows.values.sorted { $0.appointment < $1.appointment }, events: try await ledger.feed.head())
    }

    private static func next(_ state: Appointment, _ random: inout SeededRandom) -> AppointmentEvent? {
        guard let request = state.request else {
            return ScheduleID(Int64(random.next() % 500) + 1).map {
                .requested(Requested(schedule: $0, country: .peru))
            }
        }
        if random.next() % 6 == 0 {
            return .failed(Failed(reason: .slotTaken, stage: .processing, message: FailureReason.slotTaken.message))
        }
        if state.topic == nil { return .routed(Routed(topic: "appointments-pe")) }
        if state.booking != nil { return .completed }
        let slot = Slot(schedule: request.schedule, center: 4, specialty: 3, medic: 1, date: Samples.noon)
        return .countryProcessed(CountryProcessed(slot: slot, booking: Samples.id(3)))
    }

    private static func fold(_ appointment: AppointmentID, in ledger: TestEngine) async throws -> AppointmentRow? {
        let events = try await ledger.store.read(appointment.stream)
        guard let first = events.first else { return nil }
        return try AppointmentProjection.fold(events, insured: try await ledger.people.insured(of: first))
    }
}

/// SplitMix64: a seed gives the same numbers everywhere.
package struct SeededRandom {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension TestEngine {
    /// All rows of the live view, by id.
    package func allRows() async throws -> [AppointmentRow] {
        try await views.rows(RowFilter(), after: nil, offset: 0, limit: 100_000)
            .sorted { $0.appointment < $1.appointment }
    }

    /// A person's number, sealed for the first event of a stream; the person is added to the directory.
    package func seal(_ digits: String, stream: StreamID) async throws -> SealedField {
        let name = PersonName(country: "PE", insured: digits)
        let number = UInt64(digits) ?? 0
        let subject = try keyRing.newSubject(
            name, id: Identifier(high: 0x4000, low: 1 << 63 | number), key: Array(repeating: 9, count: 32),
            nonce: Array(repeating: 1, count: 12))
        let key = try keyRing.key(of: try await directory.add(subject))
        return try SealedField(
            digits, field: "insured", key: key, stream: stream, version: 1, type: "requested",
            nonce: Array(repeating: 3, count: 12))
    }
}

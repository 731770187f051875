package import Appointments
package import EventStore
package import Projections
import Testing

/// Events and rows that the contracts write. The same numbers give the same values.
package enum Samples {
    package static let noon = Timestamp(milliseconds: 1_772_470_800_000)

    package static func id(_ number: Int) -> Identifier { Identifier(high: 0x7000, low: 1 << 63 | UInt64(number)) }

    package static func appointment(_ number: Int) -> AppointmentID { AppointmentID(id(number)) }

    package static func schedule(_ number: Int64) throws -> ScheduleID { try #require(ScheduleID(number)) }

    /// A `requested` event, without personal data.
    package static func requested(
        _ number: Int, at: Timestamp = noon, country: Country = .peru, actor: String = "key:front-desk",
        correlation: String = "c-1", personal: [SealedField] = []
    ) throws -> NewEvent {
        NewEvent(
            .requested(Requested(schedule: try schedule(100), country: country)), id: id(number),
            context: EventContext(at: at, country: country, actor: actor, correlation: correlation, causation: nil),
            personal: personal)
    }

    /// A later event; the store does not mind which.
    package static func later(
        _ number: Int, topic: String = "appointments-pe", at: Timestamp = noon, country: Country = .peru
    ) -> NewEvent {
        NewEvent(
            .routed(Routed(topic: topic)), id: id(number),
            context: EventContext(at: at, country: country, actor: "router", correlation: "c-1", causation: nil))
    }

    package static func sealed(_ clear: String, stream: StreamID, version: Int = 1) throws -> SealedField {
        try SealedField(
            clear, field: "insured",
            key: SubjectKey(subject: id(7), number: 1, bytes: Array(repeating: 9, count: 32)), stream: stream,
            version: version, type: "requested", nonce: Array(repeating: 3, count: 12))
    }

    package static func slot(_ number: Int64, at date: Timestamp) throws -> Slot {
        Slot(schedule: try schedule(number), center: 4, specialty: 3, medic: number, date: date)
    }

    package static func row(
        _ number: Int, insured: String? = "00123", country: Country = .peru, createdAt: Timestamp = noon,
        updatedAt: Timestamp? = nil, status: AppointmentStatus = .pending, version: Int = 1
    ) throws -> AppointmentRow {
        AppointmentRow(
            appointment: appointment(number), insured: try insured.map { try #require(InsuredID($0)) },
            country: country, schedule: try schedule(100), createdAt: createdAt, status: status,
            updatedAt: updatedAt ?? createdAt, processedAt: nil, slot: nil, failure: nil, version: version,
            leaf: Hash(of: [UInt8(truncatingIfNeeded: number)]))
    }
}

/// The kind of failure that a call ends with; nil when it succeeds.
package func failure<Value>(_ body: () async throws -> Value) async -> EventStoreError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? EventStoreError)?.code
    }
}

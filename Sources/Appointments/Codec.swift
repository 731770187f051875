package import EventStore

/// Between an event and the bytes that an entry keeps of it.
///
/// `Tests/AppointmentsTests/Golden` holds every shape that was ever written; files are added there, never edited.
package enum Codec {
    /// The number of the shape that each type of event is written in today.
    package static func schema(of type: EventType) -> Int {
        switch type {
        case .requested, .routed, .countryProcessed, .completed, .failed: 1
        }
    }

    /// The `data` of an event as JSON, in today's shape.
    package static func encode(_ event: AppointmentEvent) -> [UInt8] {
        var writer = JSONWriter(reservingCapacity: 160)
        writer.object {
            switch event {
            case .requested(let requested):
                $0.member("scheduleId", requested.schedule.number)
                $0.member("countryISO", requested.country.code)
            case .routed(let routed):
                $0.member("topic", routed.topic)
            case .countryProcessed(let processed):
                $0.member("schedule") { $0.object { processed.slot.write(to: &$0) } }
                $0.member("bookingId", processed.booking.description)
            case .completed: break
            case .failed(let failed):
                $0.member("reason", failed.reason.rawValue)
                $0.member("stage", failed.stage.rawValue)
                $0.member("message", failed.message)
            }
        }
        return writer.bytes
    }

    /// The event that an entry keeps, whatever shape it was written in.
    ///
    /// - Throws: `corrupt` when the type is unknown here or the data has another shape than its number says.
    package static func decode(_ entry: Entry, upcasters: [Upcaster] = Upcaster.all) throws(EventStoreError)
        -> AppointmentEvent
    {
        do throws(JSONError) {
            guard let type = EventType(rawValue: entry.type) else {
                throw JSONError("unknown event type", at: 0)
            }
            if upcasters.isEmpty, entry.schema == schema(of: type) {
                return try entry.withData { data throws(JSONError) in try decode(data, as: type) }
            }
            let data = try Upcaster.lift(entry.data, type: type, schema: entry.schema, with: upcasters)
            return try data.withUnsafeBufferPointer { data throws(JSONError) in try decode(data, as: type) }
        } catch {
            throw EventStoreError(
                .corrupt,
                message:
                    "version \(entry.version) of \(entry.stream) can't be read: a newer program may have written it",
                cause: error)
        }
    }

    private static func decode(
        _ data: UnsafeBufferPointer<UInt8>, as type: EventType
    ) throws(JSONError) -> AppointmentEvent {
        if let event = inOrder(data, as: type) { return event }
        var fields = Fields()
        var reader = JSONReader(data)
        try reader.object { key, reader throws(JSONError) in try fields.read(key, from: &reader) }
        try reader.end()
        switch type {
        case .requested:
            return .requested(Requested(schedule: try require(fields.schedule), country: try require(fields.country)))
        case .routed: return .routed(Routed(topic: try require(fields.topic)))
        case .countryProcessed:
            return .countryProcessed(
                CountryProcessed(slot: try require(fields.slot), booking: try require(fields.booking)))
        case .completed: return .completed
        case .failed:
            return .failed(
                Failed(
                    reason: try require(fields.reason), stage: try require(fields.stage),
                    message: try require(fields.message)))
        }
    }

    private static func require<Value>(_ value: Value?) throws(JSONError) -> Value {
        guard let value else { throw JSONError("an event lacks one of its fields", at: 0) }
        return value
    }
}

/// All fields that any event has; an unknown key is passed over, so that fields can be added.
private struct Fields {
    var schedule: ScheduleID?
    var country: Country?
    var topic: String?
    var slot: Slot?
    var booking: Identifier?
    var reason: FailureReason?
    var stage: Failed.Stage?
    var message: String?

    mutating func read(_ key: String, from reader: inout JSONReader) throws(JSONError) {
        switch key {
        case "scheduleId": schedule = ScheduleID(try reader.integer())
        case "countryISO": country = Country(rawValue: try reader.string())
        case "topic": topic = try reader.string()
        case "schedule": slot = try Slot(from: &reader)
        case "bookingId": booking = Identifier(try reader.string())
        case "reason": reason = FailureReason(rawValue: try reader.string())
        case "stage": stage = Failed.Stage(rawValue: try reader.string())
        case "message": message = try reader.string()
        default: try reader.skip()
        }
    }
}

extension Slot {
    /// Writes the members that events, messages and answers share.
    package func write(to writer: inout JSONWriter) {
        writer.member("scheduleId", schedule.number)
        writer.member("centerId", center)
        writer.member("specialtyId", specialty)
        writer.member("medicId", medic)
        writer.member("date", date)
    }

    fileprivate init(from reader: inout JSONReader) throws(JSONError) {
        var numbers: (schedule: Int64?, center: Int64?, specialty: Int64?, medic: Int64?)
        var date: Timestamp?
        try reader.object { key, reader throws(JSONError) in
            switch key {
            case "scheduleId": numbers.schedule = try reader.integer()
            case "centerId": numbers.center = try reader.integer()
            case "specialtyId": numbers.specialty = try reader.integer()
            case "medicId": numbers.medic = try reader.integer()
            case "date": date = Timestamp(try reader.string())
            default: try reader.skip()
            }
        }
        guard let schedule = numbers.schedule.flatMap(ScheduleID.init(_:)), let center = numbers.center,
            let specialty = numbers.specialty, let medic = numbers.medic, let date
        else { throw reader.error("a slot lacks one of its fields") }
        self.init(schedule: schedule, center: center, specialty: specialty, medic: medic, date: date)
    }
}

import EventStore

extension Codec {
    /// The event whose data stands as `encode` writes it. Histories are read by the million, and looking each key up
    /// costs more than reading its value.
    ///
    /// - Returns: nil for data of any other form, which the reader of all forms takes or refuses.
    static func inOrder(_ data: UnsafeBufferPointer<UInt8>, as type: EventType) -> AppointmentEvent? {
        var reader = JSONReader(data)
        do throws(JSONError) {
            let event = try inOrder(&reader, as: type)
            return reader.place == data.count ? event : nil
        } catch {
            return nil
        }
    }

    private static func inOrder(
        _ reader: inout JSONReader, as type: EventType
    ) throws(JSONError) -> AppointmentEvent? {
        switch type {
        case .requested:
            guard reader.take(literal: "{\"scheduleId\":"), let schedule = ScheduleID(try reader.integer()),
                reader.take(literal: ",\"countryISO\":"), let country = Country(rawValue: try reader.string()),
                reader.take(literal: "}")
            else { return nil }
            return .requested(Requested(schedule: schedule, country: country))
        case .routed:
            guard reader.take(literal: "{\"topic\":") else { return nil }
            let topic = try reader.string()
            return reader.take(literal: "}") ? .routed(Routed(topic: topic)) : nil
        case .countryProcessed:
            guard reader.take(literal: "{\"schedule\":"), let slot = try slot(&reader),
                reader.take(literal: ",\"bookingId\":")
            else { return nil }
            let booking = try reader.value("a UUID", Identifier.init(utf8:))
            return reader.take(literal: "}")
                ? .countryProcessed(CountryProcessed(slot: slot, booking: booking)) : nil
        case .completed: return reader.take(literal: "{}") ? .completed : nil
        // Few requests fail.
        case .failed: return nil
        }
    }

    private static func slot(_ reader: inout JSONReader) throws(JSONError) -> Slot? {
        guard reader.take(literal: "{\"scheduleId\":"), let schedule = ScheduleID(try reader.integer()),
            reader.take(literal: ",\"centerId\":")
        else { return nil }
        let center = try reader.integer()
        guard reader.take(literal: ",\"specialtyId\":") else { return nil }
        let specialty = try reader.integer()
        guard reader.take(literal: ",\"medicId\":") else { return nil }
        let medic = try reader.integer()
        guard reader.take(literal: ",\"date\":") else { return nil }
        let date = try reader.value("a moment in RFC 3339", Timestamp.init(utf8:))
        guard reader.take(literal: "}") else { return nil }
        return Slot(schedule: schedule, center: center, specialty: specialty, medic: medic, date: date)
    }
}

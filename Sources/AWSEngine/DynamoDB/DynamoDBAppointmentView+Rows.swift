import Appointments
import EventStore
import Projections

/// How a row of the view is an item.
extension DynamoDBAppointmentView {
    func row(_ item: Item) throws(EventStoreError) -> AppointmentRow {
        do throws(Item.Damage) { return try Self.read(item) } catch { throw .damaged(rows.name, error) }
    }

    private static func read(_ item: Item) throws(Item.Damage) -> AppointmentRow {
        let number = try item.number("scheduleId")
        guard let schedule = ScheduleID(number) else { throw Item.Damage(attribute: "scheduleId") }
        guard let leaf = Hash(bytes: try item.bytes("leaf")) else { throw Item.Damage(attribute: "leaf") }
        return AppointmentRow(
            appointment: try item.value("appointmentId") { AppointmentID($0) },
            insured: try item.ifPresent("insuredId") { name throws(Item.Damage) in
                try item.value(name) { InsuredID($0) }
            },
            country: try item.value("countryISO") { Country(rawValue: $0) }, schedule: schedule,
            createdAt: try moment("createdAt", of: item),
            status: try item.value("status") { AppointmentStatus(rawValue: $0) },
            updatedAt: try moment("updatedAt", of: item),
            processedAt: try item.ifPresent("processedAt") { name throws(Item.Damage) in try moment(name, of: item) },
            slot: try item.ifAny("date", "centerId", "specialtyId", "medicId") { () throws(Item.Damage) in
                Slot(
                    schedule: schedule, center: try item.number("centerId"),
                    specialty: try item.number("specialtyId"), medic: try item.number("medicId"),
                    date: try moment("date", of: item))
            },
            failure: try item.ifAny("failureReason", "failureMessage") { () throws(Item.Damage) in
                AppointmentRow.Failure(
                    reason: try item.value("failureReason") { FailureReason(rawValue: $0) },
                    message: try item.text("failureMessage"))
            },
            version: Int(try item.number("version")), leaf: leaf)
    }

    private static func moment(_ name: String, of item: Item) throws(Item.Damage) -> Timestamp {
        try item.value(name) { Timestamp($0) }
    }

    static func write(_ row: AppointmentRow, _ writer: inout JSONWriter) {
        writer.attribute("appointmentId", text: row.appointment.description)
        // Without it the row of an erased person is in no list by person.
        if let insured = row.insured { writer.attribute("insuredId", text: insured.digits) }
        writer.attribute("countryISO", text: row.country.code)
        writer.attribute("scheduleId", number: row.schedule.number)
        writer.attribute("createdAt", text: row.createdAt.description)
        writer.attribute("status", text: row.status.rawValue)
        writer.attribute("updatedAt", text: row.updatedAt.description)
        if let processedAt = row.processedAt { writer.attribute("processedAt", text: processedAt.description) }
        if let slot = row.slot {
            writer.attribute("centerId", number: slot.center)
            writer.attribute("specialtyId", number: slot.specialty)
            writer.attribute("medicId", number: slot.medic)
            writer.attribute("date", text: slot.date.description)
        }
        if let failure = row.failure {
            writer.attribute("failureReason", text: failure.reason.rawValue)
            writer.attribute("failureMessage", text: failure.message)
        }
        writer.attribute("version", number: row.version)
        writer.attribute("leaf", bytes: row.leaf.bytes)
    }
}

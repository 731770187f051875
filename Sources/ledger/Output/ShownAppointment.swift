import Appointments
import EventStore
import Projections
import Replay

/// An appointment for somebody's eyes.
struct ShownAppointment: Row {
    static let columns = [
        "appointmentId", "insuredId", "countryISO", "status", "createdAt", "updatedAt", "schedule.scheduleId",
        "failure.reason", "version",
    ]

    let row: AppointmentRow
    let person: PersonDisplay

    func write(to writer: inout JSONWriter) { writer.appointment(row, showing: person) }
}

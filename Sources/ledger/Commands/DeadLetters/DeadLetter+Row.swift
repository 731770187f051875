import Appointments
import Handlers
import Projections

extension DeadLetter: FieldRow {
    static let fields: Fields = [
        "id": { $0.id }, "kind": { _ in "letter" }, "queue": { $0.queue.rawValue },
        "appointmentId": { $0.appointment?.description }, "receives": { $0.receiveCount }, "at": { $0.deadAt },
        "reason": { $0.reason },
    ]

    /// The appointment that the letter points at; nil when its body can't be read.
    var appointment: AppointmentID? {
        switch queue {
        case .country: (try? CountryMessage(body: body))?.appointment
        case .completion, .error: (try? BusNotice(body: body))?.appointment
        }
    }
}

/// An event that a consumer has parked, in the columns of a dead letter.
struct ParkedLetter: FieldRow {
    static let fields: Fields = [
        "id": { "\($0.event.appointment)@\($0.event.version)" }, "kind": { _ in "parked" },
        "queue": { $0.consumer.description }, "appointmentId": { $0.event.appointment.description },
        "receives": { _ in nil }, "at": { $0.event.at }, "reason": { $0.event.reason },
    ]

    let consumer: ConsumerName
    let event: ParkedEvent
}

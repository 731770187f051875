package import Appointments
package import EventStore

/// Ends an appointment as failed because an operator gave it up. The router then has its slot given back.
package struct GiveUp: Procedure {
    private let appointment: AppointmentID
    private let actor: String
    private let message: String
    private var attempts = Attempts()

    /// - Parameter message: the operator's reason, without personal data.
    package init(_ appointment: AppointmentID, actor: String, message: String) {
        (self.appointment, self.actor, self.message) = (appointment, actor, message)
    }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        switch outcome {
        case .begin: return .read(appointment.stream)
        case .conflict: return attempts.readAgain(appointment.stream)
        case .appended: return .finish(.done)
        case .stream(let loaded):
            let failed = Failed(reason: .processingExhausted, stage: .operator, message: message)
            do throws(Rejection) {
                return try loaded.append(.fail(failed), actor: actor, now: now) ?? .finish(.done)
            } catch {
                return .finish(.refused(error))
            }
        case .subject, .claim, .released, .sent: return .finish(.outOfOrder)
        }
    }
}

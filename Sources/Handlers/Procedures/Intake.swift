package import Appointments
package import EventStore

/// Records a request. It is answered when `requested` is durable; nothing else happens here.
package struct Intake: Procedure {
    /// What the caller wishes, and who it is.
    package struct Wish: Sendable {
        package let insured: InsuredID
        package let request: Requested
        package let actor: String
        package let correlation: String

        package init(insured: InsuredID, request: Requested, actor: String, correlation: String) {
            (self.insured, self.request, self.actor, self.correlation) = (insured, request, actor, correlation)
        }
    }

    /// What is new in a request, drawn once before the first attempt.
    package struct NewIDs: Sendable {
        package let appointment: AppointmentID
        package let event: Identifier
        /// 12 random bytes for sealing.
        package let nonce: [UInt8]

        package init(appointment: AppointmentID, event: Identifier, nonce: [UInt8]) {
            (self.appointment, self.event, self.nonce) = (appointment, event, nonce)
        }
    }

    private let wish: Wish
    private let ids: NewIDs
    private var subject: Identifier?

    package init(_ wish: Wish, ids: NewIDs) { (self.wish, self.ids) = (wish, ids) }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        switch outcome {
        case .begin:
            return .subject(PersonName(country: wish.request.country.code, insured: wish.insured.digits))
        case .subject(let key):
            subject = key.subject
            return record(key, now: now)
        case .appended(let event): return .finish(.accepted(event, replayed: false))
        case .conflict: return .read(ids.appointment.stream)
        case .stream(let loaded): return .finish(compare(loaded))
        case .claim, .released, .sent: return .finish(.outOfOrder)
        }
    }

    private func record(_ key: SubjectKey, now: Timestamp) -> Effect {
        let stream = ids.appointment.stream
        do {
            let field = try SealedField(
                wish.insured.digits, field: "insured", key: key, stream: stream, version: 1,
                type: EventType.requested.rawValue, nonce: ids.nonce)
            let context = EventContext(
                at: now, country: wish.request.country, actor: wish.actor, correlation: wish.correlation, causation: nil
            )
            let event = NewEvent(.requested(wish.request), id: ids.event, context: context, personal: [field])
            return .append(event, to: stream, expecting: .empty)
        } catch {
            return .finish(.failed(reason: error.message))
        }
    }

    /// The idempotency key was used before, or the answer to our own append was lost.
    private func compare(_ loaded: LoadedAppointment) -> Completion {
        guard let first = loaded.events.first else {
            return .failed(reason: "the store reported a conflict on a stream that it says is empty")
        }
        if first.entry.id == ids.event { return .accepted(first, replayed: false) }
        do throws(Rejection) {
            _ = try loaded.state.decide(.request(wish.request))
        } catch {
            return .refused(error)
        }
        return loaded.subject == subject ? .accepted(first, replayed: true) : .refused(.differentRequest)
    }
}

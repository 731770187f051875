import Appointments
package import EventStore

/// Completes an appointment whose processing was announced on the bus.
package struct CompletionProjector: Procedure {
    private let notice: Result<BusNotice, UnreadableMessage>
    private var attempts = Attempts()

    /// A projector of one message of the completion queue.
    package init(body: [UInt8]) { notice = BusNotice.read(body) }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        let notice: BusNotice
        switch self.notice {
        case .success(let readable): notice = readable
        case .failure(let error): return .finish(.failed(reason: error.reason))
        }
        if notice.reason != nil { return .finish(.failed(reason: "the message reports a failure, not a booking")) }
        switch outcome {
        case .begin: return .read(notice.appointment.stream)
        case .conflict: return attempts.readAgain(notice.appointment.stream)
        case .appended: return .finish(.done)
        case .stream(let loaded):
            if let problem = notice.contradiction(to: loaded) { return .finish(.failed(reason: problem)) }
            do throws(Rejection) {
                return try loaded.append(.complete, actor: "completion", now: now) ?? .finish(.done)
            } catch {
                // An appointment that failed meanwhile keeps its end: the first one stands.
                if error == .alreadyEnded(.failed) { return .finish(.done) }
                return .finish(.failed(reason: "\(notice.appointment.stream) can't be completed: \(error)"))
            }
        case .subject, .claim, .released, .sent: return .finish(.outOfOrder)
        }
    }
}

/// Makes sure that an appointment whose failure was announced on the bus has ended.
package struct ErrorHandler: Procedure {
    private let notice: Result<BusNotice, UnreadableMessage>
    private var attempts = Attempts()

    /// A handler of one message of the error queue.
    package init(body: [UInt8]) { notice = BusNotice.read(body) }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        let notice: BusNotice
        switch self.notice {
        case .success(let readable): notice = readable
        case .failure(let error): return .finish(.failed(reason: error.reason))
        }
        guard let reason = notice.reason else {
            return .finish(.failed(reason: "the message reports no failure"))
        }
        switch outcome {
        case .begin: return .read(notice.appointment.stream)
        case .conflict: return attempts.readAgain(notice.appointment.stream)
        case .appended: return .finish(.done)
        case .stream(let loaded):
            if let problem = notice.contradiction(to: loaded) { return .finish(.failed(reason: problem)) }
            let failed = Failed(reason: reason, stage: .error, message: reason.message)
            do throws(Rejection) {
                return try loaded.append(.fail(failed), actor: "error-handler", now: now) ?? .finish(.done)
            } catch {
                if error == .alreadyEnded(.completed) { return .finish(.done) }
                return .finish(.failed(reason: "\(notice.appointment.stream) can't be failed: \(error)"))
            }
        case .subject, .claim, .released, .sent: return .finish(.outOfOrder)
        }
    }
}

extension BusNotice {
    /// Why the message can't be about this appointment; nil when it can.
    fileprivate func contradiction(to loaded: LoadedAppointment) -> String? {
        guard let request = loaded.state.request, request.country != country else { return nil }
        return "a message of \(country.code) names an appointment of \(request.country.code)"
    }

    fileprivate static func read(_ body: [UInt8]) -> Result<BusNotice, UnreadableMessage> {
        do throws(UnreadableMessage) {
            return .success(try BusNotice(body: body))
        } catch {
            return .failure(error)
        }
    }
}

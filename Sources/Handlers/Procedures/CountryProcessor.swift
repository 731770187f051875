package import Appointments
package import EventStore

/// Processes a request in its country: holds the slot, appends what came of it, then announces it on the bus.
package struct CountryProcessor: Procedure {
    private let country: Country
    private let message: Result<CountryMessage, UnreadableMessage>
    private var loaded: LoadedAppointment?
    private var claim: ClaimResult?
    private var attempts = Attempts()

    /// A processor of one message of the country's queue.
    package init(_ country: Country, body: [UInt8]) {
        self.country = country
        do throws(UnreadableMessage) {
            message = .success(try CountryMessage(body: body))
        } catch {
            message = .failure(error)
        }
    }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        let message: CountryMessage
        switch self.message {
        case .success(let readable): message = readable
        case .failure(let error): return .finish(.failed(reason: error.reason))
        }
        guard message.country == country else {
            return .finish(.failed(reason: "a message for \(message.country.code) came to \(country.code)"))
        }
        let stream = message.appointment.stream
        switch outcome {
        case .begin: return .read(stream)
        case .conflict: return attempts.readAgain(stream)
        case .stream(let loaded):
            self.loaded = loaded
            return process(loaded, message, now: now)
        case .claim(let result):
            claim = result
            return loaded.map { process($0, message, now: now) } ?? .finish(.outOfOrder)
        case .appended(let event):
            // News, though a replay brought it about.
            return loaded?.appending(event).map { .put(.announcement(of: $0)) } ?? .read(stream)
        case .released:
            // What another delivery of this message refused is announced once more; others announce their own.
            guard let loaded, case .failed(let failed) = loaded.state.end, failed.stage == .processing else {
                return .finish(.done)
            }
            return .put(.announcement(of: loaded), replay: message.replay)
        case .sent: return .finish(.done)
        case .subject: return .finish(.outOfOrder)
        }
    }

    private func process(_ loaded: LoadedAppointment, _ message: CountryMessage, now: Timestamp) -> Effect {
        guard let request = loaded.state.request, let subject = loaded.subject else {
            return .finish(.failed(reason: "\(message.appointment.stream) has no request"))
        }
        guard request.country == country else {
            return .finish(.failed(reason: "an appointment of \(request.country.code) came to \(country.code)"))
        }
        switch loaded.state.end {
        case .completed: return .finish(.done)
        // A delivery that claimed and then crashed, or lost the race to append, may have left the slot held.
        case .failed: return .release(message.appointment, country)
        case nil: break
        }
        if loaded.state.booking != nil { return .put(.announcement(of: loaded), replay: message.replay) }
        guard loaded.state.topic != nil else {
            return .finish(.failed(reason: "\(message.appointment.stream) was not routed yet"))
        }
        guard let claim else {
            return .claim(
                SlotClaim(
                    appointment: message.appointment, schedule: request.schedule, country: country, subject: subject,
                    now: now))
        }
        do throws(Rejection) {
            let append = try loaded.append(
                command(for: claim, message.appointment), actor: "processor:\(country.code.lowercased())", now: now)
            return append ?? .read(message.appointment.stream)
        } catch {
            return .finish(.failed(reason: "\(message.appointment.stream) can't be processed: \(error)"))
        }
    }

    private func command(for claim: ClaimResult, _ appointment: AppointmentID) -> AppointmentCommand {
        switch claim {
        case .held(let slot):
            let booking = Identifier.version8(Hash(of: Array("booking|\(appointment)".utf8)))
            return .process(CountryProcessed(slot: slot, booking: booking))
        case .refused(let reason):
            return .fail(Failed(reason: reason, stage: .processing, message: reason.message))
        }
    }
}

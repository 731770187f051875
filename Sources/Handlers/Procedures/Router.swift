package import Appointments
package import EventStore

/// Sends a request on to its country: appends `routed` first and publishes second, and on a retry publishes again.
///
/// The sweeper uses it as well, to send an appointment round again from wherever it stands.
package struct Router: Procedure {
    private let appointment: AppointmentID
    private let purpose: Purpose
    private var loaded: LoadedAppointment?
    private var attempts = Attempts()

    /// What the router was called for.
    package enum Purpose: Sendable {
        /// A `requested` event came down the feed.
        case route
        /// A `failed` event came down the feed: the country gives back what it may hold.
        case release
        /// The appointment stands still: its last message is sent once more.
        case resend
    }

    package init(_ appointment: AppointmentID, purpose: Purpose) {
        (self.appointment, self.purpose) = (appointment, purpose)
    }

    /// What the router does with an event of the feed; nil when it passes it over.
    ///
    /// - Throws: `corrupt` when the event can't be read.
    package init?(event: RecordedEvent) throws(EventStoreError) {
        switch try Codec.decode(event.entry) {
        case .requested: self.init(event.stream.appointment, purpose: .route)
        case .failed(let failed) where failed.stage != .processing:
            self.init(event.stream.appointment, purpose: .release)
        case .routed, .countryProcessed, .completed, .failed: return nil
        }
    }

    package mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect {
        switch outcome {
        case .begin: return .read(appointment.stream)
        case .conflict: return attempts.readAgain(appointment.stream)
        case .appended(let event):
            return loaded?.appending(event).map { route($0, now: now) } ?? .read(appointment.stream)
        case .stream(let loaded):
            self.loaded = loaded
            return route(loaded, now: now)
        case .sent: return .finish(.done)
        case .subject, .claim, .released: return .finish(.outOfOrder)
        }
    }

    private func route(_ loaded: LoadedAppointment, now: Timestamp) -> Effect {
        guard let request = loaded.state.request, let first = loaded.events.first else {
            return .finish(.failed(reason: "\(appointment.stream) has no request"))
        }
        let topic = TopicName(of: request.country)
        func message(_ kind: CountryMessage.Kind) -> Effect {
            .publish(
                CountryMessage(
                    kind, appointment: appointment, schedule: request.schedule, country: request.country,
                    at: first.entry.at, correlation: first.entry.correlation), to: topic)
        }
        switch (purpose, loaded.state.status) {
        case (.release, .failed): return message(.failed)
        case (.resend, .processed): return .put(.announcement(of: loaded))
        case (.route, .pending), (.resend, .pending):
            do throws(Rejection) {
                let append = try loaded.append(.route(topic: topic.rawValue), actor: "router", now: now)
                return append ?? message(.requested)
            } catch {
                return .finish(.refused(error))
            }
        case (.route, .processed), (.route, .completed), (.route, .failed),
            (.release, .pending), (.release, .processed), (.release, .completed),
            (.resend, .completed), (.resend, .failed):
            return .finish(.done)
        }
    }
}

extension BusMessage {
    /// What everybody is told of an appointment that was processed or has failed.
    static func announcement(of loaded: LoadedAppointment) -> BusMessage {
        guard let request = loaded.state.request, let first = loaded.events.first, let last = loaded.events.last else {
            preconditionFailure("an appointment without events is never announced")
        }
        if case .failed(let failed) = loaded.state.end {
            return .failed(
                first.stream.appointment, country: request.country, reason: failed.reason, event: last.entry.id,
                at: last.entry.at, correlation: first.entry.correlation)
        }
        return .processed(
            first.stream.appointment, country: request.country, schedule: request.schedule, event: last.entry.id,
            at: last.entry.at, correlation: first.entry.correlation)
    }
}

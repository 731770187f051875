/// The state of one appointment, folded from its events.
package struct Appointment: Equatable, Sendable {
    package private(set) var request: Requested?
    package private(set) var topic: String?
    package private(set) var booking: CountryProcessed?
    package private(set) var end: End?
    /// How many events were folded.
    package private(set) var version = 0

    /// How an appointment ended.
    package enum End: Equatable, Sendable {
        case completed
        case failed(Failed)
    }

    package init() {}

    /// Takes an event in. Every stored event is accepted, for ever.
    package mutating func evolve(_ event: AppointmentEvent) {
        version += 1
        switch event {
        case .requested(let requested): request = requested
        case .routed(let routed): topic = routed.topic
        case .countryProcessed(let processed): booking = processed
        case .completed: end = .completed
        case .failed(let failed): end = .failed(failed)
        }
    }

    /// The event that a command leads to; nil when it has already happened.
    ///
    /// - Throws: the reason why the command is refused.
    package func decide(_ command: AppointmentCommand) throws(Rejection) -> AppointmentEvent? {
        switch command {
        case .request(let wish): return try decideRequest(wish)
        case .route(let topic):
            try requireRequest()
            if self.topic != nil || booking != nil { return nil }
            try requireOpen()
            return .routed(Routed(topic: topic))
        case .process(let processed):
            try requireRequest()
            if booking != nil, end == nil || end == .completed { return nil }
            try requireOpen()
            if topic == nil { throw .tooEarly(status: stage) }
            return .countryProcessed(processed)
        case .complete:
            try requireRequest()
            if end == .completed { return nil }
            try requireOpen()
            if booking == nil { throw .tooEarly(status: stage) }
            return .completed
        case .fail(let failed):
            try requireRequest()
            if case .failed = end { return nil }
            try requireOpen()
            return .failed(failed)
        }
    }

    private func decideRequest(_ wish: Requested) throws(Rejection) -> AppointmentEvent? {
        guard let request else { return .requested(wish) }
        if request != wish { throw .differentRequest }
        return nil
    }

    private func requireRequest() throws(Rejection) {
        if request == nil { throw .notRequested }
    }

    private func requireOpen() throws(Rejection) {
        switch end {
        case nil: break
        case .completed: throw .alreadyEnded(.completed)
        case .failed: throw .alreadyEnded(.failed)
        }
    }

    /// The type of the last step taken, for people.
    private var stage: String {
        booking != nil ? EventType.countryProcessed.rawValue : topic != nil ? EventType.routed.rawValue : "requested"
    }
}

extension Appointment {
    /// What the views call the state.
    package var status: AppointmentStatus {
        switch end {
        case .completed: .completed
        case .failed: .failed
        case nil: booking == nil ? .pending : .processed
        }
    }

    /// The state after some events.
    package init(folding events: some Sequence<AppointmentEvent>) {
        self.init()
        for event in events { evolve(event) }
    }
}

/// What the views call the state of an appointment.
package enum AppointmentStatus: String, CaseIterable, Sendable {
    case pending
    case processed
    case completed
    case failed
}

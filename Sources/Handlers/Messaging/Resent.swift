import Appointments
package import EventStore

/// What live traffic sent because of an event, to be sent again with the mark of a replay.
///
/// The mark stands in the body, so that a message differs from the one that was sent first and no deduplication
/// swallows it, and next to it as an attribute. Handlers find each step done, or do it; what a country announces once
/// more because of such a message has the mark too, and what it announces for the first time has none.
package enum Resent: Equatable, Sendable {
    case message(OutgoingMessage, to: TopicName)
    case event(BusEvent)

    /// Where it is sent.
    package enum Target: String, CaseIterable, Sendable {
        case topic
        case bus
    }

    /// What was sent to a target because of an event; nil where nothing was.
    ///
    /// - Parameter first: the first event of its stream.
    /// - Throws: `corrupt` when one of the two can't be read.
    package init?(
        _ event: RecordedEvent, first: RecordedEvent, to target: Target, by run: Identifier
    ) throws(EventStoreError) {
        guard case .requested(let request) = try Codec.decode(first.entry) else { return nil }
        let (appointment, correlation) = (event.stream.appointment, first.entry.correlation)
        func message(_ kind: CountryMessage.Kind) -> Resent {
            let message = CountryMessage(
                kind, appointment: appointment, schedule: request.schedule, country: request.country,
                at: first.entry.at, correlation: correlation)
            return .message(message.outgoing(replay: run), to: TopicName(of: request.country))
        }
        switch (try Codec.decode(event.entry), target) {
        case (.routed, .topic): self = message(.requested)
        case (.failed(let failed), .topic) where failed.stage != .processing: self = message(.failed)
        case (.countryProcessed, .bus):
            let processed = BusMessage.processed(
                appointment, country: request.country, schedule: request.schedule, event: event.entry.id,
                at: event.entry.at, correlation: correlation)
            self = .event(processed.event(replay: run))
        case (.failed(let failed), .bus) where failed.stage == .processing:
            let error = BusMessage.failed(
                appointment, country: request.country, reason: failed.reason, event: event.entry.id,
                at: event.entry.at, correlation: correlation)
            self = .event(error.event(replay: run))
        case (.requested, _), (.routed, _), (.countryProcessed, _), (.completed, _), (.failed, _): return nil
        }
    }

    /// What it is, for people.
    package var kind: String {
        switch self {
        case .message(let message, let topic): "\(message.attributes["eventType"] ?? "") to topic \(topic.rawValue)"
        case .event(let event): "\(event.detailType) to the bus"
        }
    }
}

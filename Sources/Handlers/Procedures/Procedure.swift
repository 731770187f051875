package import Appointments
package import EventStore

/// Something that a handler wants done outside of itself.
package enum Effect: Sendable {
    case read(StreamID)
    case append(NewEvent, to: StreamID, expecting: Expectation)
    /// The key of a person, made at the first request.
    case subject(PersonName)
    case claim(SlotClaim)
    case release(AppointmentID, Country)
    case publish(CountryMessage, to: TopicName)
    /// With the run of the replay that it is sent for once more; nil where it is news.
    case put(BusMessage, replay: Identifier? = nil)
    case finish(Completion)
}

/// How an effect went. A store that does not answer is no outcome: the handler stops there and its input comes again.
package enum Outcome: Sendable {
    case begin
    case stream(LoadedAppointment)
    case appended(RecordedEvent)
    /// Another writer was first: read and decide again.
    case conflict
    case subject(SubjectKey)
    case claim(ClaimResult)
    case released
    case sent
}

/// How a handler ends.
package enum Completion: Sendable {
    /// The input is dealt with and may be acknowledged.
    case done
    /// The request is recorded in this event, now or, when replayed, by an earlier call.
    case accepted(RecordedEvent, replayed: Bool)
    /// The answer is no.
    case refused(Rejection)
    /// The input could not be dealt with: it comes again, and becomes a dead letter in the end.
    case failed(reason: String)
}

/// A handler as a synchronous step machine: told how the last effect went, it names the next.
///
/// It holds no clock, task, or random number, so that a simulator can drive it, stop it between any two effects, and
/// repeat the run. A handler that is started again after a crash begins by reading, and finds what was done before.
package protocol Procedure: Sendable {
    mutating func next(_ outcome: Outcome, now: Timestamp) -> Effect
}

extension LoadedAppointment {
    /// An append of the next event of this stream, or nil when it is there already.
    ///
    /// - Throws: the reason why the command is refused.
    func append(
        _ command: AppointmentCommand, actor: String, now: Timestamp
    ) throws(Rejection) -> Effect? {
        guard let event = try state.decide(command) else { return nil }
        guard let first = events.first, let last = events.last, let request = state.request else {
            throw .notRequested
        }
        let context = EventContext(
            at: max(now, last.entry.at), country: request.country, actor: actor,
            correlation: first.entry.correlation, causation: last.entry.id)
        let id = NewEvent.derivedID(first.stream, version: last.version + 1, type: event.type.rawValue)
        return .append(
            NewEvent(event, id: id, context: context), to: first.stream, expecting: .version(last.version))
    }
}

/// Counts how often a handler lost a race and decided again.
struct Attempts {
    private var left = 8

    /// Reads again, or gives the input back when too many races were lost.
    mutating func readAgain(_ stream: StreamID) -> Effect {
        left -= 1
        return left > 0 ? .read(stream) : .finish(.failed(reason: "lost every race for \(stream)"))
    }
}

extension Completion {
    /// An outcome that this handler's effects never lead to.
    static var outOfOrder: Completion { .failed(reason: "an effect was answered that was never asked for") }
}

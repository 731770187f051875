package import Appointments
package import EventStore

/// What the router tells a country. No personal data: the processor reads the ledger.
package struct CountryMessage: Equatable, Sendable {
    package let kind: Kind
    package let appointment: AppointmentID
    package let schedule: ScheduleID
    package let country: Country
    package let at: Timestamp
    package let correlation: String
    /// The run of the replay that sent it again; nil for live traffic.
    package let replay: Identifier?

    /// What the country is asked to do.
    package enum Kind: String, Sendable {
        /// The request is to be processed.
        case requested = "AppointmentRequested"
        /// The request has failed elsewhere: a slot that is held for it is to be given back.
        case failed = "AppointmentFailed"
    }

    package init(
        _ kind: Kind, appointment: AppointmentID, schedule: ScheduleID, country: Country, at: Timestamp,
        correlation: String
    ) {
        (self.kind, self.appointment, self.schedule) = (kind, appointment, schedule)
        (self.country, self.at, self.correlation) = (country, at, correlation)
        replay = nil
    }

    package var outgoing: OutgoingMessage { outgoing(replay: nil) }

    /// The message with the mark of the replay that sends it again.
    package func outgoing(replay run: Identifier?) -> OutgoingMessage {
        var writer = JSONWriter()
        writer.object {
            $0.member("eventType", kind.rawValue)
            $0.member("appointmentId", appointment.description)
            $0.member("scheduleId", schedule.number)
            $0.member("countryISO", country.code)
            $0.member("timestamp", at)
            $0.member("correlationId", correlation)
            $0.mark(run)
        }
        var attributes = ["countryISO": country.code, "eventType": kind.rawValue]
        attributes["replay"] = run?.description
        return OutgoingMessage(body: writer.bytes, attributes: attributes)
    }

    /// Reads the body of a queue's message, raw or wrapped by SNS.
    ///
    /// - Throws: what is wrong with it, for the dead letter.
    package init(body: [UInt8]) throws(UnreadableMessage) {
        let content = try UnreadableMessage.content(of: body)
        kind = try content.field("eventType") { $0.text.flatMap(Kind.init(rawValue:)) }
        appointment = try content.field("appointmentId") { $0.text.flatMap(AppointmentID.init(_:)) }
        schedule = try content.field("scheduleId") { $0.whole.flatMap(ScheduleID.init(_:)) }
        country = try content.field("countryISO") { $0.text.flatMap(Country.init(rawValue:)) }
        at = try content.field("timestamp") { $0.text.flatMap(Timestamp.init(_:)) }
        correlation = try content.field("correlationId", \.text)
        replay =
            content["replay"] == nil ? nil : try content.field("replay") { $0.text.flatMap(Identifier.init(_:)) }
    }
}

/// What a country processor tells everybody.
package enum BusMessage: Equatable, Sendable {
    case processed(
        AppointmentID, country: Country, schedule: ScheduleID, event: Identifier, at: Timestamp, correlation: String)
    case failed(
        AppointmentID, country: Country, reason: FailureReason, event: Identifier, at: Timestamp, correlation: String)

    package static let processedType = "Appointment Processed"
    package static let errorType = "Processing Error"

    package var event: BusEvent { event(replay: nil) }

    /// The event with the mark of the replay that sends it again.
    package func event(replay run: Identifier?) -> BusEvent {
        var writer = JSONWriter()
        switch self {
        case .processed(let appointment, let country, let schedule, let event, let at, let correlation):
            writer.object {
                $0.member("status", "PROCESSED")
                $0.member("countryISO", country.code)
                $0.member("appointmentId", appointment.description)
                $0.member("scheduleId", schedule.number)
                $0.member("eventId", event.description)
                $0.member("processedAt", at)
                $0.member("correlationId", correlation)
                $0.mark(run)
            }
            return BusEvent(
                source: "medical.appointment.\(country.code.lowercased())", detailType: Self.processedType,
                detail: writer.bytes, time: at)
        case .failed(let appointment, let country, let reason, let event, let at, let correlation):
            writer.object {
                $0.member("status", "FAILED")
                $0.member("countryISO", country.code)
                $0.member("appointmentId", appointment.description)
                $0.member("reason", reason.rawValue)
                $0.member("eventId", event.description)
                $0.member("correlationId", correlation)
                $0.mark(run)
            }
            return BusEvent(
                source: "medical.appointment", detailType: Self.errorType, detail: writer.bytes, time: at)
        }
    }
}

extension JSONWriter {
    /// Live messages have no such member, so that they stay what they were.
    fileprivate mutating func mark(_ run: Identifier?) {
        if let run { member("replay", run.description) }
    }
}

/// A message of the completion or the error queue, as its handler reads it.
package struct BusNotice: Equatable, Sendable {
    package let appointment: AppointmentID
    package let country: Country
    /// Why it failed; nil for one that was processed.
    package let reason: FailureReason?

    /// Reads the body of a queue's message, raw or wrapped by EventBridge.
    ///
    /// - Throws: what is wrong with it, for the dead letter.
    package init(body: [UInt8]) throws(UnreadableMessage) {
        let content = try UnreadableMessage.content(of: body)
        appointment = try content.field("appointmentId") { $0.text.flatMap(AppointmentID.init(_:)) }
        country = try content.field("countryISO") { $0.text.flatMap(Country.init(rawValue:)) }
        let status = try content.field("status", \.text)
        switch status {
        case "PROCESSED": reason = nil
        case "FAILED": reason = try content.field("reason") { $0.text.flatMap(FailureReason.init(rawValue:)) }
        default: throw UnreadableMessage(reason: "field status is neither PROCESSED nor FAILED")
        }
    }
}

/// A message that can't be read: it fails alone, and its reason goes with it to the dead letters.
package struct UnreadableMessage: Error, Equatable {
    package let reason: String

    fileprivate static func content(of body: [UInt8]) throws(UnreadableMessage) -> JSONValue {
        do throws(JSONError) {
            return try Envelope.content(of: body)
        } catch {
            throw UnreadableMessage(reason: "the message is no JSON: \(error)")
        }
    }
}

extension JSONValue {
    fileprivate func field<Value>(
        _ name: String, _ read: (JSONValue) -> Value?
    ) throws(UnreadableMessage) -> Value {
        guard let member = self[name] else { throw UnreadableMessage(reason: "field \(name) is missing") }
        guard let value = read(member) else { throw UnreadableMessage(reason: "field \(name) has a wrong value") }
        return value
    }
}

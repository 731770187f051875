import Appointments
import EventStore

/// A rule of the event bus: which events it sends to which queue.
package struct EventRule: Sendable {
    package let name: String
    package let source: String
    package let detailType: String
    package let status: String
    /// The country that `detail.countryISO` must name; nil for any.
    package let country: String?
    package let target: QueueName

    /// The rules of the bus: one a country, and one for what failed.
    package static let all =
        Country.allCases.map { country in
            EventRule(
                name: "AppointmentProcessed\(country.code)Rule",
                source: "medical.appointment.\(country.code.lowercased())", detailType: BusMessage.processedType,
                status: "PROCESSED", country: country.code, target: .completion)
        } + [
            EventRule(
                name: "AppointmentErrorRule", source: "medical.appointment",
                detailType: BusMessage.errorType, status: "FAILED", country: nil, target: .error)
        ]

    /// The queues that the rules send an event to.
    package static func targets(of event: BusEvent) -> [QueueName] {
        guard let detail = try? JSONValue(event.detail) else { return [] }
        return all.filter { rule in
            rule.source == event.source && rule.detailType == event.detailType
                && detail["status"]?.text == rule.status
                && (rule.country == nil || detail["countryISO"]?.text == rule.country)
        }.map(\.target)
    }
}

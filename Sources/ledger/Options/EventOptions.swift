import Appointments
import ArgumentParser
import EventStore
import Replay

/// Which events are wanted.
struct EventOptions: ParsableArguments {
    @Option(help: "Only this kind of event.", transform: Reading.eventType) var type: EventType?
    @Option(help: "Only this country, \(Country.list).", transform: Reading.country) var country: Country?
    @Option(
        help: "Only this insured person's appointments; - reads the id from standard input.",
        transform: Reading.insured)
    var insured: InsuredID?
    @Option(help: "Only this appointment.", transform: Reading.appointment) var appointment: AppointmentID?
    @Option(help: "Only what one request led to.") var correlation: String?
    @Option(help: "Only what this actor caused, such as key:front-desk.") var actor: String?
    @Option(help: "Only from this time on (RFC 3339).", transform: Reading.moment) var from: Timestamp?
    @Option(help: "Only behind this position.") var after = 0

    func validate() throws {
        if after < 0 { throw ValidationError("--after is 0 or more") }
    }

    /// The question that the options ask.
    var query: AuditQuery {
        var query = AuditQuery(
            EventFilter(
                type: type?.rawValue, country: country?.code, actor: actor, correlation: correlation, from: from))
        (query.appointment, query.insured, query.after) = (appointment, insured, after)
        return query
    }
}

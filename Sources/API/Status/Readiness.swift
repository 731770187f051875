package import Appointments
package import EventStore
package import Handlers
package import LogService
package import Projections

/// How full a queue is, with its name.
package struct QueueStatus: Equatable, Sendable {
    package let name: QueueName
    package let depth: QueueDepth
}

/// Whether the database of a country answers, where it stands outside of the store. While it does not, requests are
/// taken and wait for it.
package struct CountryStatus: Equatable, Sendable {
    package let country: Country
    package let answers: Bool
    /// How long it has not answered, where that is known.
    package let silentSeconds: Double?

    package init(country: Country, answers: Bool, silentSeconds: Double? = nil) {
        (self.country, self.answers, self.silentSeconds) = (country, answers, silentSeconds)
    }
}

/// What has to be counted.
struct Figures: Sendable {
    let events: [EventCount]
    let appointments: [RowCount]
    /// Appointments that were sent round as often as they may be, and still stand.
    let stuck: [(appointment: AppointmentID, country: Country)]
}

/// Whether the ledger can do its work.
package struct Readiness: Equatable, Sendable {
    /// The position of the last event.
    package let head: Int
    package var projections: [ConsumerStatus] = []
    package var queues: [QueueStatus] = []
    package var countries: [CountryStatus] = []
    /// Nil where there is none. A mirror that lags or is away keeps no request from its answer, and so is no reason
    /// not to be ready.
    package var mirror: MirrorStatus?
    /// How the log stands to its last checkpoint; nil where that is not known. An alarm of the log keeps no request
    /// from its answer either.
    package var log: LogStanding?

    /// Why the ledger is not ready, one sentence each; empty when it is.
    package var reasons: [String] {
        projections.filter(\.isStalled).map { projection in
            var reason = "projection \(projection.name) stands still"
            if let lag = projection.lag { reason += " at position \(projection.checkpoint), \(lag) events behind" }
            return reason + (projection.lastError.map { ": \($0)" } ?? "")
        }
    }
}

/// Everything that is known of how the ledger is doing.
package struct StatusReport: Sendable {
    package let readiness: Readiness
    package let events: [EventCount]
    package let appointments: [RowCount]
    /// Appointments that were sent round as often as they may be, and still stand though their country answers.
    package let stuck: [AppointmentID]
}

extension JSONWriter {
    /// Writes the members of whether the ledger can do its work.
    package mutating func members(of readiness: Readiness) {
        member("head", readiness.head)
        key("projections")
        array { writer in
            for projection in readiness.projections {
                writer.object {
                    $0.member("name", projection.name.description)
                    $0.member("state", projection.state.rawValue)
                    $0.member("checkpoint", projection.checkpoint)
                    $0.member("lag", projection.lag)
                    $0.member("lagSeconds", projection.lagSeconds)
                    $0.member("parked", projection.parked)
                    $0.key("stalled")
                    $0.boolean(projection.isStalled)
                    $0.member("movedAt", projection.movedAt)
                    $0.member("lastError", projection.lastError)
                }
            }
        }
        key("queues")
        array { writer in
            for queue in readiness.queues {
                writer.object {
                    $0.member("name", queue.name.rawValue)
                    $0.member("waiting", queue.depth.waiting)
                    $0.member("inFlight", queue.depth.inFlight)
                    $0.member("dead", queue.depth.dead)
                    $0.member("oldestSeconds", queue.depth.oldestMilliseconds.map { Int($0 / 1000) })
                    $0.member("longestOutSeconds", queue.depth.longestOutMilliseconds.map { Int($0 / 1000) })
                }
            }
        }
        if let mirror = readiness.mirror {
            key("mirror")
            object { $0.members(of: mirror) }
        }
        if let log = readiness.log {
            key("log")
            object {
                $0.member("state", log.state.rawValue)
                $0.member("size", log.size)
                $0.member("signed", log.signed)
                if let problem = log.problem { $0.member("problem", problem) }
            }
        }
        if readiness.countries.isEmpty { return }
        key("countries")
        array { writer in
            for country in readiness.countries {
                writer.object {
                    $0.member("countryISO", country.country.code)
                    $0.key("answers")
                    $0.boolean(country.answers)
                    if let silence = country.silentSeconds { $0.member("silentSeconds", Int(silence)) }
                }
            }
        }
    }
}

import API
import Appointments
import ArgumentParser
import EventStore
import Handlers
import Projections

/// `ledger stats`: how the ledger is doing.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Shows counts by type, status and country, the lag of each projection, queues and what is stuck.",
        discussion: """
            Each row is one figure: what it counts, of what, and how many.

            EXAMPLES
              ledger stats
              ledger stats --format json
            """)

    @OptionGroup var options: SharedOptions

    func run() async throws {
        let report = try await options.open().status.read()
        var printer = options.printer(["figure", "of", "countryISO", "value"])
        func row(_ figure: String, _ of: String?, _ country: String? = nil, _ value: Int) throws {
            try printer.row { writer in
                writer.object {
                    $0.member("figure", figure)
                    $0.member("of", of)
                    $0.member("countryISO", country)
                    $0.member("value", value)
                }
            }
        }
        try row("head", nil, nil, report.readiness.head)
        for count in report.events { try row("events", count.type, count.country, count.count) }
        for count in report.appointments {
            try row("appointments", count.status.rawValue, count.country.code, count.count)
        }
        for projection in report.readiness.projections {
            if let lag = projection.lag { try row("lag", projection.name.description, nil, lag) }
            try row("parked", projection.name.description, nil, projection.parked)
        }
        for queue in report.readiness.queues {
            try row("waiting", queue.name.rawValue, nil, queue.depth.waiting)
            try row("inFlight", queue.name.rawValue, nil, queue.depth.inFlight)
            try row("deadLetters", queue.name.rawValue, nil, queue.depth.dead)
            if queue.depth.tellsAges {
                try row(
                    "oldestWaitingSeconds", queue.name.rawValue, nil,
                    Int((queue.depth.oldestMilliseconds ?? 0) / 1000))
            }
        }
        if let mirror = report.readiness.mirror {
            try row("mirrorAnswers", nil, nil, mirror.answers ? 1 : 0)
            if let progress = mirror.progress {
                try row("mirrorState", progress.standing.name, nil, 1)
                if progress.ahead > 0 { try row("mirrorAhead", nil, nil, progress.ahead) }
                if let lag = progress.lag { try row("mirrorLag", nil, nil, lag) }
                try row("mirrorLagSeconds", nil, nil, Int(progress.lagMilliseconds / 1000))
                try row("mirrorConflicts", nil, nil, progress.conflicts)
            }
        }
        for country in report.readiness.countries {
            try row("databaseAnswers", nil, country.country.code, country.answers ? 1 : 0)
        }
        try row("stuck", nil, nil, report.stuck.count)
        for appointment in report.stuck { try row("stuckAppointment", appointment.description, nil, 1) }
        try printer.finish()
    }
}

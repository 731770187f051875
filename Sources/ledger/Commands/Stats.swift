import API
import Appointments
import ArgumentParser
import EventStore
import Handlers
import LogService
import Projections

/// `ledger stats`: how the ledger is doing.
struct StatsCommand: Verb {
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

    func run(in shell: Shell) async throws {
        try options.print(Self.figures(try await options.open(in: shell).status().read()), in: shell)
    }

    private static func figures(_ report: StatusReport) -> [Figure] {
        var figures: [Figure] = []
        func row(_ figure: String, _ of: String?, _ country: String? = nil, _ value: Int) {
            figures.append(Figure(figure: figure, of: of, country: country, value: value))
        }
        row("head", nil, nil, report.readiness.head)
        for count in report.events { row("events", count.type, count.country, count.count) }
        for count in report.appointments {
            row("appointments", count.status.rawValue, count.country.code, count.count)
        }
        for projection in report.readiness.projections {
            if let lag = projection.lag { row("lag", projection.name.description, nil, lag) }
            row("parked", projection.name.description, nil, projection.parked)
        }
        for queue in report.readiness.queues {
            row("waiting", queue.name.rawValue, nil, queue.depth.waiting)
            row("inFlight", queue.name.rawValue, nil, queue.depth.inFlight)
            row("deadLetters", queue.name.rawValue, nil, queue.depth.dead)
            if queue.depth.tellsAges {
                row(
                    "oldestWaitingSeconds", queue.name.rawValue, nil,
                    Int((queue.depth.oldestMilliseconds ?? 0) / 1000))
            }
        }
        if let mirror = report.readiness.mirror {
            row("mirrorAnswers", nil, nil, mirror.answers ? 1 : 0)
            if let progress = mirror.progress {
                row("mirrorState", progress.standing.name, nil, 1)
                if progress.ahead > 0 { row("mirrorAhead", nil, nil, progress.ahead) }
                if let lag = progress.lag { row("mirrorLag", nil, nil, lag) }
                row("mirrorLagSeconds", nil, nil, Int(progress.lagMilliseconds / 1000))
                row("mirrorConflicts", nil, nil, progress.conflicts)
            }
        }
        if let log = report.readiness.log {
            row("logState", log.state.rawValue, nil, 1)
            if let size = log.size { row("logSize", nil, nil, size) }
            if let signed = log.signed { row("logSigned", nil, nil, signed) }
        }
        for country in report.readiness.countries {
            row("databaseAnswers", nil, country.country.code, country.answers ? 1 : 0)
        }
        row("stuck", nil, nil, report.stuck.count)
        for appointment in report.stuck { row("stuckAppointment", appointment.description, nil, 1) }
        return figures
    }
}

/// One figure: what it counts, of what, and how many.
private struct Figure: FieldRow {
    static let fields: Fields = [
        "figure": { $0.figure }, "of": { $0.of }, "countryISO": { $0.country }, "value": { $0.value },
    ]

    let figure: String
    let of: String?
    let country: String?
    let value: Int
}

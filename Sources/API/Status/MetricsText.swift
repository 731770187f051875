import Appointments
import EventStore
import Handlers
import LogService
import Projections

/// The metrics in the text format of Prometheus (version 0.0.4). Labels hold routes, states and names of our own, and
/// never anything that a caller sent.
struct MetricsText {
    private(set) var text = ""

    mutating func requests(_ counts: RequestMeters.Counts) {
        family("ledger_http_requests_total", "counter", "Requests answered, by route and status.")
        let ordered = counts.requests.sorted { ($0.key.label, $0.key.status) < ($1.key.label, $1.key.status) }
        for (key, count) in ordered {
            sample("ledger_http_requests_total", [("route", key.label), ("status", "\(key.status)")], "\(count)")
        }
        let name = "ledger_http_request_seconds"
        family(name, "histogram", "Time to answer a request, by route.")
        for (route, histogram) in counts.seconds.sorted(by: { label($0.key) < label($1.key) }) {
            for (bound, count) in zip(RequestMeters.bounds, histogram.buckets) {
                sample(name + "_bucket", [("route", label(route)), ("le", "\(bound)")], "\(count)")
            }
            sample(name + "_bucket", [("route", label(route)), ("le", "+Inf")], "\(histogram.count)")
            sample(name + "_sum", [("route", label(route))], "\(histogram.sum)")
            sample(name + "_count", [("route", label(route))], "\(histogram.count)")
        }
    }

    mutating func ledger(_ snapshot: StatusSnapshot) {
        if let readiness = snapshot.readiness { self.readiness(readiness) }
        if let figures = snapshot.figures {
            family("ledger_events", "gauge", "Events, by type and country.")
            for count in figures.events {
                sample("ledger_events", [("type", count.type), ("country", count.country)], "\(count.count)")
            }
            family("ledger_appointments", "gauge", "Appointments, by status and country.")
            for count in figures.appointments {
                sample(
                    "ledger_appointments", [("status", count.status.rawValue), ("country", count.country.code)],
                    "\(count.count)")
            }
            family(
                "ledger_stuck_appointments", "gauge",
                "Appointments that were sent round as often as they may be, and whose country answers.")
            sample("ledger_stuck_appointments", [], "\(snapshot.stuck)")
        }
        family("ledger_status_age_seconds", "gauge", "How old the figures are, by who was asked.")
        for (of, seconds) in snapshot.ages { sample("ledger_status_age_seconds", [("of", of)], "\(seconds)") }
        family("ledger_store_up", "gauge", "Whether the store answers.")
        sample("ledger_store_up", [], snapshot.isUp ? "1" : "0")
        family("ledger_store_writable", "gauge", "Whether the last thing to be written could be.")
        sample("ledger_store_writable", [], snapshot.isWritable ? "1" : "0")
    }

    private mutating func readiness(_ readiness: Readiness) {
        family("ledger_head_position", "gauge", "Position of the last event.")
        sample("ledger_head_position", [], "\(readiness.head)")
        projections(readiness.projections)
        states(readiness.projections)
        movements(readiness.projections)
        queues(readiness.queues)
        if let mirror = readiness.mirror { self.mirror(mirror) }
        if let log = readiness.log { self.log(log) }
        if readiness.countries.isEmpty { return }
        family("ledger_country_up", "gauge", "Whether the database of a country answers.")
        for country in readiness.countries {
            sample("ledger_country_up", [("country", country.country.code)], country.answers ? "1" : "0")
        }
    }

    mutating func droppedLogLines(_ count: Int) {
        family("ledger_log_lines_dropped_total", "counter", "Lines of the log that nobody read in time.")
        sample("ledger_log_lines_dropped_total", [], "\(count)")
    }

    private mutating func mirror(_ mirror: MirrorStatus) {
        family("ledger_mirror_up", "gauge", "Whether the mirror answers and can say how far it is.")
        sample("ledger_mirror_up", [], mirror.progress == nil ? "0" : "1")
        guard let progress = mirror.progress else { return }
        family("ledger_mirror_state", "gauge", "1 for how the mirror stands to the ledger.")
        for name in MirrorStanding.names {
            sample("ledger_mirror_state", [("state", name)], progress.standing.name == name ? "1" : "0")
        }
        family("ledger_mirror_ahead", "gauge", "Positions that the mirror is further than the ledger's end.")
        sample("ledger_mirror_ahead", [], "\(progress.ahead)")
        if let lag = progress.lag {
            family("ledger_mirror_lag_events", "gauge", "Events that the mirror has not taken in.")
            sample("ledger_mirror_lag_events", [], "\(lag)")
        }
        family("ledger_mirror_lag_seconds", "gauge", "How long ago the first of these events happened.")
        sample("ledger_mirror_lag_seconds", [], "\(Double(progress.lagMilliseconds) / 1000)")
        family("ledger_mirror_conflicts", "gauge", "Events that contradict what the mirror holds.")
        sample("ledger_mirror_conflicts", [], "\(progress.conflicts)")
    }

    private mutating func log(_ log: LogStanding) {
        family("ledger_log_state", "gauge", "1 for how the log stands to its last checkpoint.")
        for state in LogStanding.State.allCases {
            sample("ledger_log_state", [("state", state.rawValue)], state == log.state ? "1" : "0")
        }
        family("ledger_log_alarm", "gauge", "Whether the log is not signed any more before somebody has looked at it.")
        sample("ledger_log_alarm", [], log.isAlarm ? "1" : "0")
        family("ledger_log_size", "gauge", "Events in the log, now and at its last checkpoint.")
        for (of, size) in [("now", log.size), ("checkpoint", log.signed)] {
            if let size { sample("ledger_log_size", [("of", of)], "\(size)") }
        }
    }

    private mutating func projections(_ projections: [ConsumerStatus]) {
        let families: [(String, String, (ConsumerStatus) -> Int?)] = [
            ("ledger_projection_lag_events", "Events that a projection has not taken in.", { $0.lag }),
            ("ledger_projection_lag_seconds", "Age of the first event that it has not taken in.", { $0.lagSeconds }),
            ("ledger_projection_stalled", "Whether a projection lags and stands still.", { $0.isStalled ? 1 : 0 }),
            ("ledger_projection_parked", "Appointments that a projection has parked.", { $0.parked }),
        ]
        for (name, help, value) in families {
            family(name, "gauge", help)
            for projection in projections {
                guard let value = value(projection) else { continue }
                sample(name, [("projection", projection.name.description)], "\(value)")
            }
        }
    }

    private mutating func movements(_ projections: [ConsumerStatus]) {
        let moved = "ledger_projection_moved_timestamp_seconds"
        family(moved, "gauge", "When the checkpoint of a projection last moved, where that is known.")
        for projection in projections {
            guard let at = projection.movedAt else { continue }
            sample(moved, [("projection", projection.name.description)], "\(Double(at.milliseconds) / 1000)")
        }
        let error = "ledger_projection_last_error_info"
        family(error, "gauge", "1 for why a projection stands still or has parked an appointment last.")
        for projection in projections {
            guard let reason = projection.lastError else { continue }
            sample(error, [("projection", projection.name.description), ("error", reason)], "1")
        }
    }

    private mutating func states(_ projections: [ConsumerStatus]) {
        family("ledger_projection_state", "gauge", "1 for the state that a projection is in.")
        for projection in projections {
            for state in ConsumerStatus.State.allCases {
                sample(
                    "ledger_projection_state",
                    [("projection", projection.name.description), ("state", state.rawValue)],
                    projection.state == state ? "1" : "0")
            }
        }
    }

    private mutating func queues(_ queues: [QueueStatus]) {
        family("ledger_queue_messages", "gauge", "Messages of a queue, by state.")
        for queue in queues {
            let states = [
                ("waiting", queue.depth.waiting), ("in_flight", queue.depth.inFlight), ("dead", queue.depth.dead),
            ]
            for (state, count) in states {
                sample("ledger_queue_messages", [("queue", queue.name.rawValue), ("state", state)], "\(count)")
            }
        }
        let ages: [(String, String, (QueueDepth) -> Int64?)] = [
            (
                "ledger_queue_oldest_seconds",
                "Age of the oldest message that nobody has in hand; 0 when there is none.",
                { $0.oldestMilliseconds }
            ),
            (
                "ledger_queue_longest_out_seconds", "Age of the oldest message in hand; 0 when there is none.",
                { $0.longestOutMilliseconds }
            ),
        ]
        for (name, help, age) in ages {
            family(name, "gauge", help)
            for queue in queues where queue.depth.tellsAges {
                sample(name, [("queue", queue.name.rawValue)], "\(Double(age(queue.depth) ?? 0) / 1000)")
            }
        }
    }

    private func escaped(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    private func label(_ route: Route?) -> String { route?.rawValue ?? "none" }

    private mutating func family(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty { text += "{" + labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",") + "}" }
        text += " \(value)\n"
    }
}

extension RequestMeters.Key {
    fileprivate var label: String { route?.rawValue ?? "none" }
}

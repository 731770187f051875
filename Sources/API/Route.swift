package import EventStore

/// The routes of the API. Their order is the one in which the specification lists them.
package enum Route: String, CaseIterable, Sendable {
    case requestAppointment = "POST /appointments"
    case listAppointments = "GET /appointments"
    case personAppointments = "GET /appointments/{insuredId}"
    case appointment = "GET /appointments/{insuredId}/{appointmentId}"
    case history = "GET /appointments/{insuredId}/{appointmentId}/events"
    case auditEvents = "GET /audit/events"
    case checkpoint = "GET /ledger/checkpoint"
    case logKey = "GET /ledger/key"
    /// Also the longer paths of later tiles, of partial ones, and of entries.
    case tile = "GET /ledger/tile/{level}/{index}"
    case logProof = "GET /ledger/proof/{appointmentId}/{version}"
    case logHistory = "GET /ledger/history/{appointmentId}"
    case live = "GET /health/live"
    case ready = "GET /health/ready"
    case metrics = "GET /metrics"
    case specification = "GET /openapi.yaml"

    /// Who may use a route.
    package enum Audience: Equatable, Sendable {
        /// Anyone, without a key.
        case open
        /// Keys of these roles; an admin's always.
        case roles([Role])
    }

    package var audience: Audience {
        switch self {
        case .requestAppointment: .roles([.intake])
        case .listAppointments: .roles([.operator])
        case .personAppointments, .appointment: .roles([.intake, .operator])
        case .history, .auditEvents: .roles([.auditor])
        case .checkpoint, .logKey, .tile, .logProof, .logHistory: .roles(Role.allCases)
        case .metrics: .roles([.operator])
        case .live, .ready, .specification: .open
        }
    }

    package var method: String { self == .requestAppointment ? "POST" : "GET" }

    /// The path with its parameters in braces.
    package var template: String { String(rawValue.drop { $0 != " " }.dropFirst()) }

    /// The number of the route in its order.
    var index: Int { Self.indices[self] ?? 0 }

    private static let indices = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}

/// A path of the API with its parameters, still percent-encoded.
struct RoutePath {
    /// The routes that have this path, one a method.
    let routes: [Route]
    let insured: Substring
    let appointment: Substring
    /// The version of an event of the appointment.
    let version: Substring
    /// The path of a tile below the prefix of the log.
    let tile: Substring

    /// Nil for a path that no route has.
    init?(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].isEmpty else { return nil }
        var parameters: (Substring, Substring) = ("", "")
        var (version, tile): (Substring, Substring) = ("", "")
        switch (parts.count, parts[1]) {
        case (2, "appointments"): routes = [.requestAppointment, .listAppointments]
        case (3, "appointments"):
            routes = [.personAppointments]
            parameters.0 = parts[2]
        case (4, "appointments"):
            routes = [.appointment]
            parameters = (parts[2], parts[3])
        case (5, "appointments") where parts[4] == "events":
            routes = [.history]
            parameters = (parts[2], parts[3])
        case (3, "audit") where parts[2] == "events": routes = [.auditEvents]
        case (3, "ledger") where parts[2] == "checkpoint": routes = [.checkpoint]
        case (3, "ledger") where parts[2] == "key": routes = [.logKey]
        case (5..., "ledger") where parts[2] == "tile":
            routes = [.tile]
            tile = path.dropFirst("/ledger/".count)
        case (5, "ledger") where parts[2] == "proof":
            routes = [.logProof]
            (parameters.1, version) = (parts[3], parts[4])
        case (4, "ledger") where parts[2] == "history":
            routes = [.logHistory]
            parameters.1 = parts[3]
        case (3, "health") where parts[2] == "live": routes = [.live]
        case (3, "health") where parts[2] == "ready": routes = [.ready]
        case (2, "metrics"): routes = [.metrics]
        case (2, "openapi.yaml"): routes = [.specification]
        default: return nil
        }
        (insured, appointment) = parameters
        (self.version, self.tile) = (version, tile)
    }

    /// The methods that the path answers to, for `Allow`.
    var allowed: String {
        (routes.contains { $0.method == "GET" } ? ["GET", "HEAD"] : [])
            .appending(contentsOf: routes.contains(.requestAppointment) ? ["POST"] : [])
            .appending(contentsOf: ["OPTIONS"]).joined(separator: ", ")
    }

    /// The route for a method; nil when the path does not answer to it.
    func route(_ method: String) -> Route? {
        let method = method == "HEAD" ? "GET" : method
        return routes.first { $0.method == method }
    }
}

extension [String] {
    fileprivate func appending(contentsOf more: [String]) -> [String] { self + more }
}

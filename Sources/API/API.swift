package import EventStore
package import Handlers
package import LogService
package import Logging
package import Projections
import Replay

/// The API: answers every request, whatever transport brought it. It never throws.
package struct API: Sendable {
    let performer: Performer
    let callers: Callers
    let store: any EventStore
    let views: any AppointmentView
    /// What past lists are made of where the view lacks something.
    let past: PastEvents
    let audit: any AuditLog
    /// Gives out the histories that auditors ask for.
    let histories: any StreamReader
    let trail: any AccessLog
    let status: StatusWatch
    /// The signed log; nil for a ledger that signs none.
    let log: ServedLog?
    let droppedLogLines: @Sendable () -> Int
    let random: @Sendable (_ count: Int) -> [UInt8]
    let cursors: PageCursor
    let idempotencySecret: [UInt8]
    let meters: RequestMeters
    let logger: Logger
    private let gate: Gate
    private let origins: AllowedOrigins

    /// - Parameter callers: counts who waits for a request to be recorded, so that pumps in the API's process give way.
    /// - Parameter secrets: the ring that the secrets of cursors and idempotency keys are derived from.
    /// - Parameter audit: answers auditors; `histories` as well, for one appointment.
    /// - Parameter trail: is told who looked at the events, before they are shown.
    /// - Parameter signedLog: the log that anybody with a key may check.
    /// - Parameter proxies: whose word is believed for who calls.
    /// - Parameter origins: whose pages may read the answers.
    /// - Parameter elapsed: the time by a clock that is never set, for limits and beliefs.
    /// - Parameter droppedLogLines: how many lines of the log nobody has read in time.
    /// - Parameter random: gives bytes of a cryptographic random generator.
    package init(
        performer: Performer, callers: Callers = Callers(), views: any AppointmentView,
        log: any AuditLog, people: PersonResolver, progress: ViewProgress, audit: any AuditLog,
        histories: any StreamReader, trail: any AccessLog, authenticator: Authenticator,
        status: StatusWatch, signedLog: ServedLog? = nil, secrets: KeyRing, limits: RateLimits = RateLimits(),
        proxies: TrustedProxies = .none, origins: AllowedOrigins = .any, elapsed: @escaping @Sendable () -> Duration,
        random: @escaping @Sendable (_ count: Int) -> [UInt8],
        droppedLogLines: @escaping @Sendable () -> Int = { 0 }, logger: Logger
    ) {
        self.droppedLogLines = droppedLogLines
        self.log = signedLog
        (self.performer, store, self.views, self.audit) = (performer, performer.store, views, audit)
        past = PastEvents(log: log, people: people, progress: progress)
        (self.callers, self.histories, self.trail) = (callers, histories, trail)
        (self.status, self.random, self.logger) = (status, random, logger)
        cursors = PageCursor(secret: secrets.secret(for: "cursor"))
        idempotencySecret = secrets.idempotencySecret
        gate = Gate(authenticator, proxies: proxies, limits: limits, elapsed: elapsed, logger: logger)
        self.origins = origins
        meters = RequestMeters()
    }

    var now: @Sendable () -> Timestamp { performer.now }

    /// Answers a request.
    package func respond(to request: APIRequest) async -> APIResponse {
        let began = ContinuousClock.now
        let path = RoutePath(request.path)
        let route = path?.route(request.method)
        var response: APIResponse
        do {
            response = try await answer(request, path, route)
        } catch {
            response = problem(error, request, route).response(requestID: request.requestID, now: now())
        }
        if request.method == "HEAD" {
            response.headers.append(("Content-Length", String(response.body.count)))
            response.body = []
        }
        if response.header("X-Correlation-Id") == nil, let correlation = try? request.correlation() {
            response.headers.append(("X-Correlation-Id", correlation))
        }
        finish(&response, request.requestID, origin: try? request.header("Origin"), isPublic: route != .metrics)
        let seconds = began.duration(to: .now).seconds
        meters.count(route, status: response.status, seconds: seconds)
        logger.debug(
            "answered",
            metadata: [
                "requestId": .string(request.requestID), "route": .string(route?.rawValue ?? "none"),
                "status": .stringConvertible(response.status), "seconds": .stringConvertible(seconds),
                "address": .string(gate.source(of: request)),
            ])
        return response
    }

    /// The answer to what a transport could not read as a request, or does not take in.
    package func refuse(_ problem: Problem, requestID: String) -> APIResponse {
        var response = problem.response(requestID: requestID, now: now())
        finish(&response, requestID, origin: nil, isPublic: true)
        meters.count(nil, status: response.status, seconds: 0)
        return response
    }

    private func answer(_ request: APIRequest, _ path: RoutePath?, _ route: Route?) async throws -> APIResponse {
        guard let path, case .roles(let roles)? = route?.audience, request.method != "OPTIONS" else {
            return try await openAnswer(request, path, route)
        }
        let caller = try await gate.admit(request, to: roles)
        switch route {
        case .requestAppointment: return try await requestAppointment(request, caller)
        case .listAppointments: return try await listAppointments(request, caller)
        case .personAppointments: return try await personAppointments(request, path)
        case .appointment: return try await appointment(request, path)
        case .history: return try await history(request, path, caller)
        case .auditEvents: return try await auditEvents(request, caller)
        case .checkpoint: return try await checkpoint(request)
        case .logKey: return try logKey(request)
        case .tile: return try await tile(request, path)
        case .logProof: return try await logProof(request, path)
        case .logHistory: return try await logHistory(request, path, caller)
        case .metrics:
            try request.refuseParameters()
            return try await metrics()
        case nil, .live, .ready, .specification: preconditionFailure("open routes were answered before")
        }
    }

    /// The answer to a request that needs no key, whoever sends it.
    private func openAnswer(_ request: APIRequest, _ path: RoutePath?, _ route: Route?) async throws -> APIResponse {
        try gate.admit(request, isProbe: route == .live || route == .ready)
        if request.method == "OPTIONS" { return Self.options(path) }
        guard let path else { throw Problem(.routeNotFound, "No route has this path") }
        if route != nil { try request.refuseParameters() }
        switch route {
        case .live: return .json { $0.member("status", "live") }
        case .ready: return try await readiness()
        case .specification: return Self.specification
        default:
            throw Problem(
                .methodNotAllowed, "This path does not answer to the method", headers: [("Allow", path.allowed)])
        }
    }

    /// What the caller is told of an error. What it was goes to the log.
    private func problem(_ error: any Error, _ request: APIRequest, _ route: Route?) -> Problem {
        if let problem = error as? Problem { return problem }
        let problem: Problem
        var level = Logger.Level.error
        if let error = error as? EventStoreError, error.code == .unavailable {
            problem = .unavailable("The store does not answer: nothing was recorded, try again")
            level = .warning
        } else {
            problem = Problem(.internalError, "Something went wrong on our side; the request id helps us to find it")
        }
        logger.log(
            level: level, "request failed",
            metadata: [
                "requestId": .string(request.requestID), "route": .string(route?.rawValue ?? "none"),
                "error": .string(
                    (error as? EventStoreError)?.message ?? (error as? UnexpectedCompletion)?.reason
                        ?? "\(type(of: error))"),
            ])
        return problem
    }
}

extension KeyRing {
    /// The secret that idempotency keys are turned into appointment ids with: API and command line share it.
    package var idempotencySecret: [UInt8] { secret(for: "idempotency") }
}

extension Duration {
    /// Seconds with their fraction.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

// MARK: - Headers of every answer

extension API {
    /// - Parameter isPublic: whether pages of any origin may read the answer where the origins are not named.
    private func finish(_ response: inout APIResponse, _ requestID: String, origin: String?, isPublic: Bool) {
        response.headers.append(("X-Request-Id", requestID))
        if isPublic || origins != .any { response.headers.append(contentsOf: origins.headers(to: origin)) }
        response.headers.append(contentsOf: Self.commonHeaders)
        // What never changes says so itself.
        if response.header("Cache-Control") == nil { response.headers.append(("Cache-Control", "no-store")) }
    }

    private static let commonHeaders: [(String, String)] = [
        ("Access-Control-Allow-Methods", "GET,HEAD,POST,OPTIONS"),
        (
            "Access-Control-Allow-Headers",
            "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,Idempotency-Key,X-Correlation-Id,"
                + "traceparent"
        ),
        (
            "Access-Control-Expose-Headers",
            "Location,Retry-After,Idempotent-Replayed,X-Correlation-Id,X-Next-After,X-Request-Id"
        ),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ]
}

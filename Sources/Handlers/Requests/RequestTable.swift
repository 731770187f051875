import Appointments
package import EventStore
package import Logging
package import Projections
import Replay

/// The API: answers every request, whatever transport brought it. It never throws.
package struct RequestTable: Sendable {
    let performer: Performer
    let callers: Callers
    let store: any EventStore
    let views: any AppointmentViews
    /// What past lists are made of where the view lacks something.
    let past: PastEvents
    let audit: any AuditLog
    /// Gives out the histories that auditors ask for.
    let histories: any StreamReader
    let trail: any AuditTrail
    let status: LedgerStatus
    let random: @Sendable (_ count: Int) -> [UInt8]
    let cursors: PageCursor
    let idempotencySecret: [UInt8]
    let meters: RequestMeters
    let logger: Logger
    private let authenticator: Authenticator
    private let keyLimiter: RateLimiter?
    private let addressLimiter: RateLimiter?
    private let origins: AllowedOrigins

    /// - Parameter callers: counts who waits for a request to be recorded, so that pumps beside the API give way.
    /// - Parameter secrets: the ring that the secrets of cursors and idempotency keys are derived from.
    /// - Parameter audit: answers auditors; `histories` as well, for one appointment.
    /// - Parameter trail: is told who looked at the events, before they are shown.
    /// - Parameter origins: whose pages may read the answers.
    /// - Parameter random: gives bytes of a cryptographic random generator.
    package init(
        performer: Performer, callers: Callers = Callers(), views: any AppointmentViews,
        log: any AuditLog, people: PersonResolver, progress: ViewProgress, audit: any AuditLog,
        histories: any StreamReader, trail: any AuditTrail, authenticator: Authenticator,
        status: LedgerStatus, secrets: KeyRing, limits: RateLimits = RateLimits(), origins: AllowedOrigins = .any,
        random: @escaping @Sendable (_ count: Int) -> [UInt8], logger: Logger
    ) {
        (self.performer, store, self.views, self.audit) = (performer, performer.store, views, audit)
        past = PastEvents(log: log, people: people, progress: progress)
        (self.callers, self.histories, self.trail) = (callers, histories, trail)
        (self.authenticator, self.status, self.random, self.logger) = (authenticator, status, random, logger)
        cursors = PageCursor(secret: secrets.secret(for: "cursor"))
        idempotencySecret = secrets.idempotencySecret
        keyLimiter = limits.perKey.map { RateLimiter($0) }
        addressLimiter = limits.perAddress.map { RateLimiter($0) }
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
        finish(&response, request.requestID, origin: try? request.header("Origin"))
        let seconds = began.duration(to: .now).seconds
        meters.count(route, status: response.status, seconds: seconds)
        logger.debug(
            "answered",
            metadata: [
                "requestId": .string(request.requestID), "route": .string(route?.rawValue ?? "none"),
                "status": .stringConvertible(response.status), "seconds": .stringConvertible(seconds),
            ])
        return response
    }

    /// The answer to what a transport could not read as a request, or does not take in.
    package func refuse(_ problem: Problem, requestID: String) -> APIResponse {
        var response = problem.response(requestID: requestID, now: now())
        finish(&response, requestID, origin: nil)
        meters.count(nil, status: response.status, seconds: 0)
        return response
    }

    private func answer(_ request: APIRequest, _ path: RoutePath?, _ route: Route?) async throws -> APIResponse {
        if request.method == "OPTIONS" { return APIResponse(status: 200) }
        guard let path else { throw Problem(.routeNotFound, "No route has this path") }
        guard let route else {
            throw Problem(
                .methodNotAllowed, "This path does not answer to the method", headers: [("Allow", path.allowed)])
        }
        switch route {
        case .live: return .json { $0.member("status", "live") }
        case .ready: return try await readiness()
        case .specification: return Self.specification
        case .metrics where request.isLoopback: return try await metrics()
        default: break
        }
        let caller = try await admit(request, to: route)
        switch route {
        case .requestAppointment: return try await requestAppointment(request, caller)
        case .listAppointments: return try await listAppointments(request, caller)
        case .personAppointments: return try await personAppointments(request, path)
        case .appointment: return try await appointment(request, path)
        case .history: return try await history(request, path, caller)
        case .auditEvents: return try await auditEvents(request, caller)
        case .metrics: return try await metrics()
        case .live, .ready, .specification: preconditionFailure("open routes were answered before")
        }
    }

    /// Finds out who calls, and whether they may.
    private func admit(_ request: APIRequest, to route: Route) async throws -> Caller {
        let roles: [Role]
        switch route.audience {
        case .open: roles = Role.allCases
        case .loopback(let some), .roles(let some): roles = some
        }
        let moment = now()
        let caller: Caller
        if try await authenticator.needsNoKey(request, now: moment) {
            caller = .anonymous
        } else {
            // Before anything is looked up: attempts with wrong keys are what this limit is there for.
            try limit(addressLimiter, request.remoteAddress, moment)
            caller = try await authenticator.caller(of: request, now: moment)
            try limit(keyLimiter, caller.actor, moment)
        }
        guard caller.isAdmitted(to: roles) else {
            throw Problem(.forbidden, "The role \(caller.role.rawValue) may not use this route")
        }
        return caller
    }

    private func limit(_ limiter: RateLimiter?, _ source: String, _ moment: Timestamp) throws(Problem) {
        guard let seconds = limiter?.take(source, now: moment) else { return }
        throw Problem(
            .rateLimitExceeded, "Too many requests: wait \(seconds) s", headers: [("Retry-After", String(seconds))])
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

extension RequestTable {
    private func finish(_ response: inout APIResponse, _ requestID: String, origin: String?) {
        response.headers.append(("X-Request-Id", requestID))
        response.headers.append(contentsOf: origins.headers(to: origin))
        response.headers.append(contentsOf: Self.commonHeaders)
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
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    ]
}

import EventStore
import Logging
import Synchronization

/// Stands before the routes: finds out who calls, whether they may, and whether they call too often.
///
/// Requests with a valid key are counted by its holder, all others by their address, and wrong keys apart from both: an
/// address that several callers share does not shut out those with a key because of one without.
final class Gate: Sendable {
    private let authenticator: Authenticator
    private let proxies: TrustedProxies
    private let holders: RateLimiter?
    private let addresses: RateLimiter?
    private let wrongKeys: RateLimiter?
    private let elapsed: @Sendable () -> Duration
    private let logger: Logger
    private let hasWarned = Atomic(false)

    /// - Parameter elapsed: the time by a clock that is never set.
    init(
        _ authenticator: Authenticator, proxies: TrustedProxies, limits: RateLimits,
        elapsed: @escaping @Sendable () -> Duration, logger: Logger
    ) {
        (self.authenticator, self.proxies, self.elapsed, self.logger) = (authenticator, proxies, elapsed, logger)
        holders = limits.perHolder.map { RateLimiter($0) }
        addresses = limits.perAddress.map { RateLimiter($0) }
        wrongKeys = limits.wrongKeys.map { RateLimiter($0) }
    }

    /// Lets a request pass that needs no key: an open route, or one that gets no more than an error.
    ///
    /// - Throws: a problem when its address sends too many.
    func admit(_ request: APIRequest, isProbe: Bool) throws(Problem) {
        let source = try proxies.source(of: request).counted
        // Probes have a bucket of their own: who asks for anything else does not make a server look dead.
        try limit(addresses, isProbe ? "probe \(source)" : source, elapsed())
    }

    /// Finds out who calls.
    ///
    /// - Throws: a problem for who may not call, or calls too often; what the store throws.
    func admit(_ request: APIRequest, to roles: [Role]) async throws -> Caller {
        let now = elapsed()
        let caller: Caller
        if request.isLoopback, try await !authenticator.hasKeys(now: now) {
            try refuseUnlessOfThisMachine(request, now)
            caller = .anonymous
        } else {
            caller = try await identify(request, now)
            try limit(holders, caller.actor, now)
        }
        guard caller.isAdmitted(to: roles) else {
            throw Problem(.forbidden, "The role \(caller.role.rawValue) may not use this route")
        }
        return caller
    }

    /// The caller of a request that needs a key.
    private func identify(_ request: APIRequest, _ now: Duration) async throws -> Caller {
        let source = try proxies.source(of: request).counted
        let digest: Hash?
        do throws(Problem) {
            digest = try request.keyDigest
        } catch {
            try limit(wrongKeys, source, now)
            throw error
        }
        guard let digest else {
            try limit(addresses, source, now)
            throw Problem.unauthenticated("Send an API key as X-API-Key or as Authorization: Bearer")
        }
        switch authenticator.standing(digest, now: now) {
        case .believed(let caller): return caller
        case .remembered:
            // It was right a moment ago: who guesses does not get here.
            if let caller = try await authenticator.lookUp(digest, now: now) { return caller }
        case .unknown:
            // Before anything is looked up: attempts with wrong keys are what this limit is there for.
            try limit(wrongKeys, source, now)
            var isWrong = false
            defer { if !isWrong { wrongKeys?.giveBack(source) } }
            if let caller = try await authenticator.lookUp(digest, now: now) { return caller }
            isWrong = true
        }
        throw Problem.wrongKey
    }

    private func refuseUnlessOfThisMachine(_ request: APIRequest, _ now: Duration) throws(Problem) {
        let refusal: Problem
        do throws(Problem) {
            guard let found = try request.refusalWithoutKeys else { return }
            refusal = .unauthenticated(found.detail)
            if found == .forwarded { warnOnce(request) }
        } catch {
            refusal = error
        }
        try limit(addresses, RequestSource(request.remoteAddress).counted, now)
        throw refusal
    }

    private func warnOnce(_ request: APIRequest) {
        guard !hasWarned.exchange(true, ordering: .relaxed) else { return }
        logger.warning(
            """
            a request that came through a proxy was refused, since there are no API keys: make one with `ledger keys \
            create`, and name the proxy with --trusted-proxy; further ones are refused without a line
            """, metadata: ["requestId": .string(request.requestID)])
    }

    private func limit(_ limiter: RateLimiter?, _ source: String, _ now: Duration) throws(Problem) {
        guard let seconds = limiter?.take(source, now: now) else { return }
        throw Problem(
            .rateLimitExceeded, "Too many requests: wait \(seconds) s", headers: [("Retry-After", String(seconds))])
    }

    /// Who sends a request, for the log.
    func source(of request: APIRequest) -> String {
        let source = try? proxies.source(of: request)
        return (source ?? RequestSource(request.remoteAddress)).description
    }
}

import EventStore
import Synchronization

/// Who sends a request, as far as the API knows.
struct Caller: Equatable {
    /// What events name the caller by: `key:<name>` or `anonymous`.
    let actor: String
    let role: Role

    /// A caller on this machine while the store holds no key.
    static let anonymous = Caller(actor: "anonymous", role: .admin)

    /// How much of a person the caller is shown.
    var seesPersons: Bool { role != .auditor }

    func isAdmitted(to roles: [Role]) -> Bool { role == .admin || roles.contains(role) }
}

/// Tells callers by their keys. What it learned is believed for a few seconds, so that a revoked key soon ends.
package final class Authenticator: Sendable {
    private struct Known {
        let caller: Caller
        let until: Timestamp
    }

    private struct State {
        var callers: [Hash: Known] = [:]
        /// Whether the store holds keys, and until when that is believed.
        var hasKeys: (Bool, until: Timestamp)?
    }

    private let keys: any APIKeys
    private let beliefMilliseconds: Int64
    private let state = Mutex(State())

    /// The most callers that are remembered.
    private static let capacity = 10_000
    /// The most bytes that a key may have.
    private static let maximumKeyBytes = 512

    /// - Parameter beliefMilliseconds: how long a look-up is believed.
    package init(keys: any APIKeys, beliefMilliseconds: Int64 = 2000) {
        (self.keys, self.beliefMilliseconds) = (keys, beliefMilliseconds)
    }

    /// Whether a request is served without a key: it comes from this machine, and there are no keys.
    ///
    /// - Throws: a problem for a page of another origin; what the store throws.
    func needsNoKey(_ request: APIRequest, now: Timestamp) async throws -> Bool {
        guard request.isLoopback, try await !hasKeys(now: now) else { return false }
        guard try request.isOfThisMachine else {
            throw Problem.unauthenticated("A web page of another origin needs an API key: create one")
        }
        return true
    }

    /// The caller of a request that needs a key.
    ///
    /// - Throws: a problem for a key that is missing, wrong, unknown or revoked; what the store throws.
    func caller(of request: APIRequest, now: Timestamp) async throws -> Caller {
        guard let secret = try secret(of: request) else {
            throw Problem.unauthenticated("Send an API key as X-API-Key or as Authorization: Bearer")
        }
        let digest = Hash(of: Array(secret.utf8))
        if let known = state.withLock({ $0.callers[digest] }), known.until > now { return known.caller }
        guard let key = try await keys.key(digest: digest), key.revokedAt == nil else {
            state.withLock { $0.callers[digest] = nil }
            throw Problem.unauthenticated("The API key is unknown or was revoked")
        }
        let caller = Caller(actor: "key:\(key.name)", role: key.role)
        state.withLock { state in
            if state.callers.count >= Self.capacity { state.callers.removeAll() }
            state.callers[digest] = Known(caller: caller, until: now.adding(milliseconds: beliefMilliseconds))
        }
        return caller
    }

    private func secret(of request: APIRequest) throws(Problem) -> String? {
        var secret = try request.header("X-API-Key")
        if secret == nil, let authorization = try request.header("Authorization") {
            guard authorization.utf8.count > 7, String(authorization.prefix(7)).hasSameLetters(as: "bearer ") else {
                throw Problem.unauthenticated("The Authorization header is no Bearer token")
            }
            secret = String(authorization.dropFirst(7))
        }
        if let secret, secret.utf8.count > Self.maximumKeyBytes {
            throw Problem.unauthenticated("The API key is unknown or was revoked")
        }
        return secret
    }

    /// A revoked key counts: revoking the last one does not open the ledger.
    private func hasKeys(now: Timestamp) async throws -> Bool {
        if let known = state.withLock({ $0.hasKeys }), known.until > now { return known.0 }
        let hasKeys = try await !keys.list().isEmpty
        state.withLock { $0.hasKeys = (hasKeys, until: now.adding(milliseconds: beliefMilliseconds)) }
        return hasKeys
    }
}

extension Problem {
    static func unauthenticated(_ detail: String) -> Problem {
        Problem(.unauthenticated, detail, headers: [("WWW-Authenticate", "Bearer realm=\"ledger\"")])
    }
}

extension APIRequest {
    /// Whether a request without a key comes from a program or a page of this machine.
    ///
    /// A browser lets a page of any site call loopback addresses. Such a page names its own origin, or, after its
    /// name was bound to a loopback address, its own host: neither may act without a key.
    fileprivate var isOfThisMachine: Bool {
        get throws(Problem) {
            if let origin = try header("Origin") {
                guard let host = origin.split(separator: "/").last, Self.isLoopbackName(host) else { return false }
            }
            guard let host = try header("Host") else { return true }
            return Self.isLoopbackName(host[...])
        }
    }

    private static func isLoopbackName(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[::1]") { return true }
        let host = authority.prefix { $0 != ":" }
        let isAddress = host.hasPrefix("127.") && host.utf8.allSatisfy { (48...57).contains($0) || $0 == 46 }
        return isAddress || String(host).hasSameLetters(as: "localhost")
    }
}

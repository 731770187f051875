package import EventStore
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

/// Tells callers by their keys. What it learned is believed for half a second, so that a key that was revoked, and the
/// first one that is made, count within a second.
///
/// Moments are those of a clock that is never set. A belief counts from the moment when the store was asked, not from
/// its answer, which may be late.
package final class Authenticator: Sendable {
    private struct Known {
        let caller: Caller
        let until: Duration
    }

    private struct State {
        var callers: [Hash: Known] = [:]
        /// Until when it is believed that the store holds no key.
        var isKeylessUntil: Duration?
        /// Keys are never taken out of the store: once there was one, there always is.
        var hasKeys = false
    }

    /// What is known of a secret without asking the store.
    enum Standing: Equatable {
        case believed(Caller)
        /// It was right lately, and has to be looked up again.
        case remembered
        case unknown
    }

    private let keys: any APIKeys
    private let belief: Duration
    private let state = Mutex(State())

    /// The most callers that are remembered.
    private static let capacity = 10_000

    /// - Parameter belief: how long a look-up is believed.
    package init(keys: any APIKeys, belief: Duration = .milliseconds(500)) { (self.keys, self.belief) = (keys, belief) }

    /// Whether there are keys. A revoked one counts: revoking the last one does not open the ledger.
    func hasKeys(now: Duration) async throws(EventStoreError) -> Bool {
        let known = state.withLock { state -> Bool? in
            if state.hasKeys { return true }
            return state.isKeylessUntil.map { $0 > now } == true ? false : nil
        }
        if let known { return known }
        let hasKeys = try await !keys.list().isEmpty
        state.withLock { state in
            if hasKeys { state.hasKeys = true } else { state.isKeylessUntil = now + belief }
        }
        return hasKeys
    }

    func standing(_ digest: Hash, now: Duration) -> Standing {
        guard let known = state.withLock({ $0.callers[digest] }) else { return .unknown }
        return known.until > now ? .believed(known.caller) : .remembered
    }

    /// Looks up a secret.
    ///
    /// - Parameter now: the moment before the store is asked.
    /// - Returns: nil for one that is unknown or was revoked.
    func lookUp(_ digest: Hash, now: Duration) async throws(EventStoreError) -> Caller? {
        guard let key = try await keys.key(digest: digest), key.revokedAt == nil else {
            state.withLock { $0.callers[digest] = nil }
            return nil
        }
        let caller = Caller(actor: "key:\(key.name)", role: key.role)
        state.withLock { state in
            if state.callers.count >= Self.capacity, state.callers[digest] == nil {
                state.callers = state.callers.filter { $0.value.until > now }
                if state.callers.count >= Self.capacity { state.callers.removeAll() }
            }
            state.callers[digest] = Known(caller: caller, until: now + belief)
        }
        return caller
    }
}

extension Problem {
    static func unauthenticated(_ detail: String) -> Problem {
        Problem(.unauthenticated, detail, headers: [("WWW-Authenticate", "Bearer realm=\"ledger\"")])
    }

    static var wrongKey: Problem { .unauthenticated("The API key is unknown or was revoked") }
}

extension APIRequest {
    /// The most bytes that a key may have.
    private static let maximumKeyBytes = 512

    /// The digest of the API key that was sent; nil where none was.
    ///
    /// - Throws: a problem for one that can't be right.
    var keyDigest: Hash? {
        get throws(Problem) {
            var secret = try header("X-API-Key")
            if secret == nil, let authorization = try header("Authorization") {
                guard authorization.utf8.count > 7, String(authorization.prefix(7)).hasSameLetters(as: "bearer ") else {
                    throw .unauthenticated("The Authorization header is no Bearer token")
                }
                secret = String(authorization.dropFirst(7))
            }
            guard let secret else { return nil }
            guard secret.utf8.count <= Self.maximumKeyBytes else { throw .wrongKey }
            return Hash(of: Array(secret.utf8))
        }
    }
}

package import EventStore
import Synchronization

/// What requests are signed with.
package struct Credentials: Sendable, Equatable {
    package let accessKey: String
    package let secretKey: String
    package let sessionToken: String?
    /// When they end; nil for those that don't.
    package let expiration: Timestamp?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiration: Timestamp? = nil) {
        (self.accessKey, self.secretKey) = (accessKey, secretKey)
        (self.sessionToken, self.expiration) = (sessionToken, expiration)
    }
}

/// Why there are no credentials. It names the place and the way out, never a secret.
struct CredentialFailure: Error {
    let message: String
}

/// Where a client has its credentials from.
enum CredentialProvider: Sendable {
    /// Calls are not signed.
    case none
    case fixed(Credentials)
    case kept(CredentialKeeper)

    func credentials(for product: AWSProduct, _ operation: String) async throws(AWSError) -> Credentials? {
        switch self {
        case .none: return nil
        case .fixed(let credentials): return credentials
        case .kept(let keeper):
            do throws(CredentialFailure) {
                return try await keeper.credentials()
            } catch {
                throw AWSError(.noCredentials, product, operation, message: error.message)
            }
        }
    }

    /// Gets others in place of credentials that AWS calls expired.
    func replace(_ stale: Credentials) async {
        if case .kept(let keeper) = self { await keeper.replace(stale) }
    }
}

/// Keeps credentials and gets new ones before they end. One caller gets them, whoever else waits.
final class CredentialKeeper: Sendable {
    private struct State {
        var current: Credentials?
        /// When they end, by the clock's uptime; nil for those that don't.
        var end: Int64?
        var refresh: Task<Result<Credentials, CredentialFailure>, Never>?
        /// After a refresh that failed while the old credentials still were good: not before this one again.
        var notBefore: Int64?
    }

    /// From so long before their end credentials are renewed while they are still used, in milliseconds.
    private static let advisoryMilliseconds: Int64 = 5 * 60_000
    /// From so long before their end nobody uses them any more, in milliseconds.
    private static let mandatoryMilliseconds: Int64 = 60_000
    private static let pauseMilliseconds: Int64 = 30_000

    private let source: @Sendable () async -> Result<Credentials, CredentialFailure>
    private let clock: AWSClock
    private let state = Mutex(State())

    convenience init(_ chain: CredentialChain, _ clock: AWSClock) {
        self.init(clock: clock) {
            do throws(CredentialFailure) { return .success(try await chain.find()) } catch { return .failure(error) }
        }
    }

    init(clock: AWSClock, source: @escaping @Sendable () async -> Result<Credentials, CredentialFailure>) {
        (self.clock, self.source) = (clock, source)
    }

    /// Credentials that are good for a minute at least, unless the source has no better ones.
    func credentials() async throws(CredentialFailure) -> Credentials {
        let now = clock.uptime()
        let (usable, task) = state.withLock { state in
            let left = state.current.map { _ in (state.end ?? .max) - now }
            let usable = (left ?? 0) > Self.mandatoryMilliseconds ? state.current : nil
            let isPaused = usable != nil && state.notBefore.map { now < $0 } ?? false
            let mayRefresh = (left ?? 0) <= Self.advisoryMilliseconds && !isPaused
            return (usable, mayRefresh ? begin(&state) : nil)
        }
        if let usable { return usable }
        guard let result = await task?.value else { throw CredentialFailure(message: "no credentials were looked for") }
        switch result {
        case .success(let credentials): return credentials
        case .failure(let failure):
            // The last minute of the old ones is better than nothing.
            let now = clock.uptime()
            if let current = state.withLock({ $0.end ?? 0 > now ? $0.current : nil }) { return current }
            throw failure
        }
    }

    /// Drops credentials that AWS calls expired, unless others took their place already, and gets new ones.
    func replace(_ stale: Credentials) async {
        let task = state.withLock { state -> Task<Result<Credentials, CredentialFailure>, Never>? in
            guard state.current == stale else { return state.refresh }
            state.current = nil
            return begin(&state)
        }
        _ = await task?.value
    }

    private func begin(_ state: inout State) -> Task<Result<Credentials, CredentialFailure>, Never> {
        if let running = state.refresh { return running }
        let task = Task { [self] in
            let result = await source()
            return self.state.withLock { state in
                state.refresh = nil
                switch result {
                case .success(let credentials):
                    (state.current, state.notBefore) = (credentials, nil)
                    // How long they last is read off the wall clock once, and no step of it counts after that.
                    state.end = credentials.expiration.map { end in
                        clock.uptime() + (end.milliseconds - clock.now().milliseconds)
                    }
                case .failure: state.notBefore = clock.uptime() + Self.pauseMilliseconds
                }
                return result
            }
        }
        state.refresh = task
        return task
    }
}

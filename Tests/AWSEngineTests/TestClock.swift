import EventStore
import HTTPClient
import Synchronization

@testable import AWSEngine

/// A clock that moves when it is told to, or when somebody sleeps. It remembers the sleeps.
final class TestClock: Sendable {
    private struct State {
        var now: Timestamp
        var uptime: Int64 = 0
        var sleeps: [Int64] = []
    }

    private let state: Mutex<State>
    private let random: UInt64

    /// - Parameter random: what the dice always show; the largest number is the longest wait.
    init(_ now: Timestamp = Timestamp(milliseconds: 1_795_504_253_123), random: UInt64 = .max) {
        state = Mutex(State(now: now))
        self.random = random
    }

    var now: Timestamp { state.withLock { $0.now } }
    var uptime: Int64 { state.withLock { $0.uptime } }
    var sleeps: [Int64] { state.withLock { $0.sleeps } }

    func advance(milliseconds: Int64) {
        state.withLock { state in
            state.now = state.now.adding(milliseconds: milliseconds)
            state.uptime += milliseconds
        }
    }

    /// Sets the wall clock on or back; no time passes.
    func step(milliseconds: Int64) { state.withLock { $0.now = $0.now.adding(milliseconds: milliseconds) } }

    var clock: AWSClock {
        AWSClock(
            now: { self.now }, uptime: { self.uptime },
            sleep: { milliseconds in
                self.state.withLock { state in
                    state.sleeps.append(milliseconds)
                    state.now = state.now.adding(milliseconds: milliseconds)
                    state.uptime += milliseconds
                }
            }, random: { self.random })
    }
}

extension AWSClient {
    /// A client of one address that signs with fixed keys.
    convenience init(
        to url: String, _ clock: TestClock, environment: [String: String] = [:], pool: ConnectionPool? = nil,
        credentials: CredentialProvider = .fixed(Credentials(accessKey: "AKID", secretKey: "secret"))
    ) throws {
        let variables = [
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url, "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        ]
        self.init(
            settings: try AWSSettings(environment: variables.merging(environment) { _, given in given }),
            pool: pool ?? ConnectionPool(size: 4), clock: clock.clock, credentials: credentials)
    }

    /// A call whose operation and answer do not matter.
    func ask(_ product: AWSProduct = .dynamoDB, timeoutMilliseconds: Int = 5000) async throws(AWSError) -> JSONValue {
        try await call(product, "Ask", timeoutMilliseconds: timeoutMilliseconds) { $0.member("a", "b") }
    }
}

/// The error that a call ends with; nil when it succeeds, or fails otherwise.
func awsFailure<Value>(_ body: () async throws -> Value) async -> AWSError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? AWSError
    }
}

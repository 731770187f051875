import EventStore
import Synchronization

/// Which failures are worth another attempt, after what wait, and how many in all: the "standard" mode of the AWS SDKs
/// as they document it for 2026 (full jitter, a bucket of retry tokens, the wait that the answer asks for).
struct RetryPolicy: Sendable {
    /// How often a call is made at most.
    let maximumAttempts: Int

    /// What kind of trouble a failure tells of; nil for one that a repetition would meet again.
    enum Trouble {
        case transient
        case throttled

        /// The tokens that a retry costs.
        var cost: Int { self == .throttled ? 5 : 14 }
    }

    private static let throttling: Set<String> = [
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
        "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
        "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown",
        "PriorRequestNotComplete", "EC2ThrottledException",
    ]
    private static let transient: Set<String> = [
        "RequestTimeout", "RequestTimeoutException", "InternalServerError", "InternalError", "InternalFailure",
        "ServiceUnavailable", "ServiceUnavailableException", "KMSInternalException", "DependencyTimeoutException",
        "IDPCommunicationError", "TransactionConflictException", "ReplicatedWriteConflictException",
    ]

    static func trouble(_ error: AWSError) -> Trouble? {
        switch error.code {
        case .unreachable, .unreadable: return .transient
        case .noCredentials, .misconfigured: return nil
        case .refused("TransactionCanceledException"): return cancelled(error)
        case .refused(let name):
            if throttling.contains(name) || error.status == 429 { return .throttled }
            return transient.contains(name) || [500, 502, 503, 504].contains(error.status) ? .transient : nil
        }
    }

    /// A transaction that met another one, or too much load, is worth another attempt; one whose condition failed is
    /// not.
    private static func cancelled(_ error: AWSError) -> Trouble? {
        let codes = Set(error.cancellationReasons.compactMap { $0["Code"]?.text }).subtracting(["None"])
        let passing: Set<String> = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
        if codes.isEmpty || !codes.isSubset(of: passing) { return nil }
        return codes == ["TransactionConflict"] ? .transient : .throttled
    }

    /// The wait before the attempt that follows `attempt` (from 1), in milliseconds.
    ///
    /// - Parameter random: 64 random bits.
    static func delay(after error: AWSError, attempt: Int, random: UInt64) -> Int64 {
        let first: Double =
            if trouble(error) == .throttled { 1000 } else if [.dynamoDB, .streams].contains(error.product) { 25 } else {
                50
            }
        let ceiling = min(first * Double(1 << min(attempt - 1, 16)), 20_000)
        let jittered = Int64(ceiling * Double(random >> 11) / Double(1 << 53))
        guard let asked = error.retryAfterMilliseconds else { return jittered }
        // What the answer asks for counts, but no more than five seconds beyond what would be waited anyhow.
        return max(jittered, min(asked, jittered + 5000))
    }

    /// Errors that a wrong clock leads to.
    static func isSuspectOfSkew(_ error: AWSError) -> Bool {
        guard case .refused(let name) = error.code else { return false }
        return [
            "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException",
            "SignatureDoesNotMatch", "AuthFailure",
        ].contains(name)
    }

    /// Errors that fresh credentials mend.
    static func isExpiry(_ error: AWSError) -> Bool {
        guard case .refused(let name) = error.code else { return false }
        return ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].contains(name)
    }
}

/// The tokens that retries cost, so that callers of a product whose calls all fail stop adding to its load.
final class TokenBucket: Sendable {
    static let capacity = 500
    private let tokens = Mutex(capacity)

    /// Takes tokens; false when there are not enough.
    func take(_ count: Int) -> Bool {
        tokens.withLock { tokens in
            if tokens < count { return false }
            tokens -= count
            return true
        }
    }

    /// Puts tokens back: those of a retry that succeeded, or one for a call that needed none.
    func give(_ count: Int) { tokens.withLock { $0 = min($0 + count, Self.capacity) } }
}

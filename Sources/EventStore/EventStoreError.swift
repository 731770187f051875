/// Why a store did not do what it was asked.
package struct EventStoreError: Error {
    /// The kind of failure, for programs.
    package enum Code: Equatable, Sendable {
        /// The stream is not at the version that the writer believed: read it again and decide again.
        case conflict(expected: Expectation, actual: Int)
        /// The store did not answer, or could not make the write durable: nothing was acknowledged; try again.
        case unavailable
        /// What is stored contradicts its hash or its place: stop and run `ledger verify`.
        case corrupt
        /// The event is larger than an entry may be.
        case tooLarge
        /// The call makes no sense, whatever is stored.
        case invalid
    }

    package let code: Code
    /// What happened, to what, and what to do. It holds no personal data and no payload.
    package let message: String
    /// What the engine underneath said.
    package let cause: (any Error)?

    package init(_ code: Code, message: String, cause: (any Error)? = nil) {
        (self.code, self.message, self.cause) = (code, message, cause)
    }
}

extension EventStoreError: CustomStringConvertible {
    package var description: String { cause.map { "\(message) (\($0))" } ?? message }
}

extension EventStoreError {
    /// Throws the error again where a store did not answer: then nothing is known. Anything else is damage, which the
    /// caller judges.
    package func throwIfUnavailable() throws(EventStoreError) {
        if code == .unavailable { throw self }
    }

    /// Throws the error again unless it says that a store did not answer, which the caller can do without.
    package func throwUnlessUnavailable() throws(EventStoreError) {
        if code != .unavailable { throw self }
    }
}

/// What some work gives; nil where what it reads is damaged.
///
/// - Throws: `unavailable`.
package func unlessDamaged<Value>(
    _ work: () async throws(EventStoreError) -> Value
) async throws(EventStoreError) -> Value? {
    do throws(EventStoreError) {
        return try await work()
    } catch {
        try error.throwIfUnavailable()
        return nil
    }
}

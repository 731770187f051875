package import EventStore

/// Why a call to AWS did not succeed, after all its attempts.
package struct AWSError: Error, Sendable {
    /// The kind of failure, for programs.
    package enum Code: Equatable, Sendable {
        /// AWS answered with this error, such as `ConditionalCheckFailedException`.
        case refused(String)
        /// No answer came.
        case unreachable
        /// An answer came that is not what AWS writes.
        case unreadable
        /// There are no credentials to sign with.
        case noCredentials
        /// The settings make no call possible.
        case misconfigured
    }

    package let code: Code
    package let product: AWSProduct
    package let operation: String
    /// What AWS or libcurl said. It may quote what was sent: it is shown only where it can't.
    let message: String
    /// The status of the answer; 0 when there was none.
    package var status = 0
    /// What AWS's support asks for.
    package var requestID: String?
    /// How often the call was tried.
    package var attempts = 1
    /// The JSON of the error, which holds the stored item of a failed condition.
    var details: JSONValue?
    /// The wait that the answer asked for, in milliseconds.
    var retryAfterMilliseconds: Int64?
    /// The moment of the answer by AWS's clock.
    var answeredAt: Timestamp?

    init(_ code: Code, _ product: AWSProduct, _ operation: String, message: String) {
        (self.code, self.product, self.operation, self.message) = (code, product, operation, message)
    }

    /// The same error with words of our own.
    func with(message: String) -> AWSError {
        var error = AWSError(code, product, operation, message: message)
        (error.status, error.requestID, error.attempts) = (status, requestID, attempts)
        return error
    }

    /// Whether AWS answered with this error.
    func isRefused(_ name: String) -> Bool { code == .refused(name) }

    /// Why each write of a transaction was not carried out, in their order.
    var cancellationReasons: [JSONValue] {
        guard case .array(let reasons)? = details?["CancellationReasons"] else { return [] }
        return reasons
    }
}

extension AWSError: CustomStringConvertible {
    /// One sentence without anything that was sent.
    package var description: String {
        let what: String =
            switch code {
            case .refused(let name): "was refused with \(name)" + (Self.isTelling(name) ? " (\(message))" : "")
            case .unreachable, .unreadable, .noCredentials, .misconfigured: "failed: \(message)"
            }
        let request = requestID.map { ", request id \($0)" } ?? ""
        return "\(product.rawValue) \(operation) \(what) after \(attempts) \(attempts == 1 ? "try" : "tries")\(request)"
    }

    /// Errors about permissions, names and tokens say who may not do what; others may quote an item, or, where a
    /// signature is wrong, the headers with the session token.
    private static func isTelling(_ name: String) -> Bool {
        [
            "AccessDenied", "AccessDeniedException", "AuthorizationError", "ResourceNotFoundException", "NotFound",
            "NotFoundException", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken",
            "ExpiredTokenException", "QueueDoesNotExist",
        ].contains(name)
    }

    /// The same as callers of the store's protocols are told it.
    package var asStoreError: EventStoreError {
        let kind: EventStoreError.Code =
            switch code {
            case .refused("ValidationException"), .refused("SerializationException"): .invalid
            default: .unavailable
            }
        return EventStoreError(kind, message: description)
    }
}

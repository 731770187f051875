package import EventStore

/// An answer that is an error: `application/problem+json` (RFC 9457), which also carries the shape that the
/// original service gave its errors.
package struct Problem: Error, Sendable {
    /// What programs tell errors by.
    package enum Code: String, CaseIterable, Sendable {
        case validation = "VALIDATION_ERROR"
        case unauthenticated = "UNAUTHENTICATED"
        case forbidden = "FORBIDDEN"
        case routeNotFound = "ROUTE_NOT_FOUND"
        case appointmentNotFound = "APPOINTMENT_NOT_FOUND"
        case logEmpty = "LOG_EMPTY"
        case notInLog = "NOT_IN_LOG"
        case methodNotAllowed = "METHOD_NOT_ALLOWED"
        case requestTimeout = "REQUEST_TIMEOUT"
        case payloadTooLarge = "PAYLOAD_TOO_LARGE"
        case uriTooLong = "URI_TOO_LONG"
        case unsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
        case idempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
        case rateLimitExceeded = "RATE_LIMIT_EXCEEDED"
        case headersTooLarge = "HEADERS_TOO_LARGE"
        case internalError = "INTERNAL_ERROR"
        case storeUnavailable = "STORE_UNAVAILABLE"
    }

    /// What is wrong with a field.
    package enum FieldCode: String, CaseIterable, Sendable {
        case missingBody = "MISSING_BODY"
        case invalidJSON = "INVALID_JSON"
        case validationFailed = "VALIDATION_FAILED"
        case missingPathParameter = "MISSING_PATH_PARAM"
        case invalidQueryParameter = "INVALID_QUERY_PARAM"
    }

    /// One thing that is wrong with one field.
    package struct Issue: Equatable, Sendable {
        package let field: String
        package let code: FieldCode
        package let message: String
    }

    package let code: Code
    /// For people: what to do about it. No internals and no personal data.
    package let detail: String
    /// For `VALIDATION_ERROR`: everything that is wrong with the request.
    package var issues: [Issue] = []
    /// Why the ledger is not ready, one sentence each.
    package var reasons: [String] = []
    /// Headers that belong to the answer.
    package var headers: [(String, String)] = []

    package init(_ code: Code, _ detail: String, headers: [(String, String)] = []) {
        (self.code, self.detail, self.headers) = (code, detail, headers)
    }

    /// A request with these faults.
    package init(_ issues: [Issue]) {
        self.init(.validation, issues.first?.message ?? "The request is not valid")
        self.issues = issues
    }

    /// A request with one fault.
    package static func invalid(_ field: String, _ code: FieldCode, _ message: String) -> Problem {
        Problem([Issue(field: field, code: code, message: message)])
    }

    /// The store does not answer.
    package static func unavailable(_ detail: String, reasons: [String] = []) -> Problem {
        var problem = Problem(.storeUnavailable, detail, headers: [("Retry-After", "1")])
        problem.reasons = reasons
        return problem
    }
}

extension Problem.Code {
    /// The HTTP status code.
    package var status: Int {
        switch self {
        case .validation: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .routeNotFound, .appointmentNotFound, .logEmpty, .notInLog: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .payloadTooLarge: 413
        case .uriTooLong: 414
        case .unsupportedMediaType: 415
        case .idempotencyKeyReused: 422
        case .rateLimitExceeded: 429
        case .headersTooLarge: 431
        case .internalError: 500
        case .storeUnavailable: 503
        }
    }

    /// A short text that is the same for every problem with this code.
    var title: String {
        switch self {
        case .validation: "Validation failed"
        case .unauthenticated: "Authentication required"
        case .forbidden: "Forbidden"
        case .routeNotFound: "Route not found"
        case .appointmentNotFound: "Appointment not found"
        case .logEmpty: "No checkpoint yet"
        case .notInLog: "Not in the log"
        case .methodNotAllowed: "Method not allowed"
        case .requestTimeout: "Request timed out"
        case .payloadTooLarge: "Payload too large"
        case .uriTooLong: "URI too long"
        case .unsupportedMediaType: "Unsupported media type"
        case .idempotencyKeyReused: "Idempotency key reused"
        case .rateLimitExceeded: "Rate limit exceeded"
        case .headersTooLarge: "Headers too large"
        case .internalError: "Internal server error"
        case .storeUnavailable: "Store unavailable"
        }
    }

    /// The last part of the problem's type: the code in lower case with hyphens.
    var slug: String { String(decoding: rawValue.utf8.map { $0 == 0x5F ? 0x2D : $0 | 0x20 }, as: UTF8.self) }
}

extension Problem {
    /// The answer to a request.
    package func response(requestID: String, now: Timestamp) -> APIResponse {
        var writer = JSONWriter(reservingCapacity: 640)
        writer.object {
            $0.member("type", "/errors/\(code.slug)")
            $0.member("title", code.title)
            $0.member("status", code.status)
            $0.member("detail", detail)
            $0.member("instance", requestID)
            if !reasons.isEmpty {
                $0.key("reasons")
                $0.array { for reason in reasons { $0.string(reason) } }
            }
            $0.key("error")
            $0.object { original(&$0, now: now) }
        }
        return APIResponse(
            status: code.status, headers: [("Content-Type", "application/problem+json")] + headers,
            body: writer.bytes)
    }

    /// The shape of the original service.
    private func original(_ writer: inout JSONWriter, now: Timestamp) {
        writer.member("message", code.title)
        writer.member("errorCode", code.rawValue)
        guard code == .validation else { return }
        writer.key("fields")
        writer.object { writer in
            var written: Set<String> = []
            for field in issues.map(\.field) where written.insert(field).inserted {
                writer.key(field)
                writer.array { writer in
                    for issue in issues where issue.field == field {
                        writer.object {
                            $0.member("message", issue.message)
                            $0.member("code", issue.code.rawValue)
                        }
                    }
                }
            }
        }
        writer.key("details")
        writer.object {
            $0.member("errorCount", issues.count)
            $0.member("firstError", issues.first?.message)
            $0.member("timestamp", now)
        }
    }
}

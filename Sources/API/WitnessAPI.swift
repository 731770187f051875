package import EventStore
package import LogService
package import Logging
import TransparencyLog

/// The two addresses of a witness (C2SP tlog-witness, "HTTP Interface"): one takes checkpoints, the other shows the one
/// that was signed last.
package struct WitnessAPI: RequestTable {
    private let witness: Witness
    private let now: @Sendable () -> Timestamp
    private let logger: Logger

    /// The most bytes of a request. A checkpoint with a dozen signatures and a proof has fewer.
    package static let maximumBytes = 64 * 1024

    package init(_ witness: Witness, now: @escaping @Sendable () -> Timestamp, logger: Logger) {
        (self.witness, self.now, self.logger) = (witness, now, logger)
    }

    package func respond(to request: APIRequest) async -> APIResponse {
        var response: APIResponse
        do throws(EventStoreError) {
            response = try await answer(request)
        } catch {
            logger.error("nothing was signed", metadata: ["error": "\(error.message)"])
            response = Self.text(
                error.code == .unavailable ? 503 : 500, "the witness can't read or write what it keeps: try later\n")
            if error.code == .unavailable { response.headers.append(("Retry-After", "1")) }
        }
        if request.method == "HEAD" {
            response.headers.append(("Content-Length", String(response.body.count)))
            response.body = []
        }
        return response
    }

    package func refuse(_ problem: Problem, requestID: String) -> APIResponse {
        problem.response(requestID: requestID, now: now())
    }

    private func answer(_ request: APIRequest) async throws(EventStoreError) -> APIResponse {
        if request.path == "/add-checkpoint" {
            guard request.method == "POST" else { return Self.notAllowed("POST") }
            let answer = try await witness.add(request.body)
            if answer.status != 200 {
                logger.info("not signed", metadata: ["status": "\(answer.status)"])
            }
            return APIResponse(
                status: answer.status, headers: [("Content-Type", answer.contentType)] + Self.commonHeaders,
                body: answer.body)
        }
        let parts = request.path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, parts[1].count == 64, parts[2].elementsEqual("checkpoint".utf8) else {
            return Self.text(404, "a witness answers to /add-checkpoint and /ORIGIN-HASH/checkpoint\n")
        }
        guard request.method == "GET" || request.method == "HEAD" else { return Self.notAllowed("GET, HEAD") }
        guard let note = try await witness.checkpoint(String(decoding: Array(parts[1]), as: UTF8.self)) else {
            return Self.text(404, "the witness has signed no checkpoint of this log\n")
        }
        return APIResponse(headers: Self.textHeaders + Self.commonHeaders, body: note)
    }

    private static let textHeaders = [("Content-Type", "text/plain; charset=utf-8")]
    private static let commonHeaders = [
        ("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ]

    private static func text(_ status: Int, _ text: String) -> APIResponse {
        APIResponse(status: status, headers: textHeaders + commonHeaders, body: Array(text.utf8))
    }

    private static func notAllowed(_ methods: String) -> APIResponse {
        var response = text(405, "this address answers to \(methods)\n")
        response.headers.append(("Allow", methods))
        return response
    }
}

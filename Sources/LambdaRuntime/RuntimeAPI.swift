package import EventStore
package import HTTPClient

/// What Lambda asks of a function.
package struct Invocation: Sendable {
    package let id: String
    /// When Lambda stops waiting for the answer.
    package let deadline: Timestamp
    /// The X-Ray trace that the invocation belongs to; nil where there is none.
    package let trace: String?
    /// The event, as it was sent.
    package let event: [UInt8]
}

/// Why the runtime can't go on: Lambda's side is not there, or is none.
package struct RuntimeFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Lambda's side of a runtime, version 2018-06-01: where invocations come from and answers go to.
///
/// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package struct RuntimeAPI: Sendable {
    private let root: String
    private let pool: ConnectionPool

    /// The most bytes that an answer may have.
    package static let maximumAnswerBytes = 6 * 1024 * 1024

    /// - Parameter address: what `AWS_LAMBDA_RUNTIME_API` holds, `HOST:PORT`.
    package init(_ address: String, pool: ConnectionPool) {
        (root, self.pool) = ("http://\(address)/2018-06-01/runtime", pool)
    }

    /// Waits for the next invocation, however long that takes.
    ///
    /// - Throws: also when the task was cancelled.
    func next() async throws(RuntimeFailure) -> Invocation {
        let response: HTTPResponse
        do throws(TransportFailure) {
            response = try await pool.send(
                HTTPRequest(method: .get, url: "\(root)/invocation/next", timeoutMilliseconds: 0, avoidsProxy: true))
        } catch {
            throw RuntimeFailure("no invocation came: \(error)")
        }
        guard response.isSuccess, let id = response.headers["lambda-runtime-aws-request-id"], !id.isEmpty else {
            throw RuntimeFailure("no invocation came: status \(response.status)")
        }
        guard let deadline = response.headers["lambda-runtime-deadline-ms"].flatMap({ Int64($0) }) else {
            throw RuntimeFailure("invocation \(id) has no deadline")
        }
        return Invocation(
            id: id, deadline: Timestamp(milliseconds: deadline),
            trace: response.headers["lambda-runtime-trace-id"], event: response.body)
    }

    /// Answers an invocation.
    func answer(_ invocation: Invocation, _ body: [UInt8]) async throws(RuntimeFailure) {
        try await post("invocation/\(invocation.id)/response", body)
    }

    /// Tells that an invocation failed: Lambda counts it, and sends it again where its source has that.
    func fail(_ invocation: Invocation, type: String, message: String) async throws(RuntimeFailure) {
        try await post("invocation/\(invocation.id)/error", type: type, message: message)
    }

    /// Tells that the function can't begin. Lambda ends the process, and starts another for the next invocation.
    package func failBeginning(type: String, message: String) async throws(RuntimeFailure) {
        try await post("init/error", type: type, message: message)
    }

    private func post(_ path: String, type: String, message: String) async throws(RuntimeFailure) {
        var writer = JSONWriter()
        writer.object {
            $0.member("errorMessage", message)
            $0.member("errorType", type)
            $0.member("stackTrace") { $0.array { _ in } }
        }
        try await post(path, writer.bytes, headers: [("lambda-runtime-function-error-type", type)])
    }

    private func post(
        _ path: String, _ body: [UInt8], headers: [(name: String, value: String)] = []
    ) async throws(RuntimeFailure) {
        let request = HTTPRequest(
            method: .post, url: "\(root)/\(path)", headers: headers + [("content-type", "application/json")],
            body: body, avoidsProxy: true)
        let response: HTTPResponse
        do throws(TransportFailure) {
            response = try await pool.send(request)
        } catch {
            throw RuntimeFailure("\(path) was not taken: \(error)")
        }
        guard response.isSuccess else { throw RuntimeFailure("\(path) was not taken: status \(response.status)") }
    }
}

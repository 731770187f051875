package import EventStore
package import HTTPClient
import Synchronization

/// The clock, the sleep and the dice of the client.
package struct AWSClock: Sendable {
    /// The wall clock: what is signed and stored.
    let now: @Sendable () -> Timestamp
    /// Milliseconds since some moment, which go on evenly whatever is done to the wall clock: what durations are
    /// measured by.
    let uptime: @Sendable () -> Int64
    /// Sleeps for some milliseconds, or until the task is cancelled.
    let sleep: @Sendable (Int64) async -> Void
    /// 64 random bits.
    let random: @Sendable () -> UInt64

    package init(
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Int64) async -> Void, random: @escaping @Sendable () -> UInt64
    ) {
        (self.now, self.uptime, self.sleep, self.random) = (now, uptime, sleep, random)
    }
}

/// Calls AWS: signs, sends, tries again, and tells what went wrong.
package final class AWSClient: Sendable {
    package let settings: AWSSettings
    private let pool: ConnectionPool
    private let clock: AWSClock
    private let credentials: CredentialProvider
    /// One a product, as the SDKs have one a client: an outage of one leaves the others their retries.
    private let buckets = Dictionary(uniqueKeysWithValues: AWSProduct.allCases.map { ($0, TokenBucket()) })
    /// How far AWS's clock is ahead of ours, in milliseconds, as far as an answer has shown it.
    private let skewMilliseconds = Atomic<Int64>(0)

    /// A client with the credentials of the environment, as the AWS SDKs find them.
    ///
    /// - Parameter environment: the process's variables.
    package convenience init(environment: [String: String], pool: ConnectionPool, clock: AWSClock) throws(AWSError) {
        let settings = try AWSSettings(environment: environment)
        let chain = CredentialChain(settings: settings, environment: environment, pool: pool, clock: clock)
        self.init(settings: settings, pool: pool, clock: clock, credentials: .kept(CredentialKeeper(chain, clock)))
    }

    init(settings: AWSSettings, pool: ConnectionPool, clock: AWSClock, credentials: CredentialProvider) {
        (self.settings, self.pool, self.clock, self.credentials) = (settings, pool, clock, credentials)
    }

    /// 64 random bits.
    func number() -> UInt64 { clock.random() }

    /// Milliseconds since some moment.
    func uptime() -> Int64 { clock.uptime() }

    /// How long most calls may take, in milliseconds.
    static let timeoutMilliseconds = 10_000

    /// Calls an operation of a product that speaks JSON.
    ///
    /// - Parameter parameters: writes the members of the request.
    func call(
        _ product: AWSProduct, _ operation: String, timeoutMilliseconds: Int = timeoutMilliseconds,
        _ parameters: (inout JSONWriter) -> Void
    ) async throws(AWSError) -> JSONValue {
        try await answer(product, operation, timeoutMilliseconds: timeoutMilliseconds, parameters).value
    }

    /// As `call`, for answers that may tell of failures themselves: with the id of the request.
    func answer(
        _ product: AWSProduct, _ operation: String, timeoutMilliseconds: Int = timeoutMilliseconds,
        _ parameters: (inout JSONWriter) -> Void
    ) async throws(AWSError) -> JSONAnswer {
        guard case .json(let version, let prefix) = product.wireProtocol else {
            throw AWSError(.misconfigured, product, operation, message: "the product does not speak JSON")
        }
        var writer = JSONWriter(reservingCapacity: 1024)
        writer.object(parameters)
        let request = HTTPRequest(
            method: .post, url: settings.url(of: product),
            headers: [
                ("content-type", "application/x-amz-json-\(version)"), ("x-amz-target", "\(prefix).\(operation)"),
            ], body: writer.bytes, timeoutMilliseconds: timeoutMilliseconds)
        return try await send(request, product, operation) { response throws(AWSError) in
            do throws(JSONError) {
                let value = response.body.isEmpty ? .object([]) : try JSONValue(response.body)
                return JSONAnswer(value: value, requestID: response.requestID)
            } catch {
                throw AWSError(.unreadable, product, operation, message: "the answer is no JSON")
            }
        }
    }

    /// Calls an operation of a product that speaks the query protocol, and gives the XML of the answer.
    func query(
        _ product: AWSProduct, _ operation: String, _ parameters: [(name: String, value: String)]
    ) async throws(AWSError) -> XMLText {
        guard case .query(let version) = product.wireProtocol else {
            throw AWSError(.misconfigured, product, operation, message: "the product does not speak the query protocol")
        }
        let form = Form.encode([("Action", operation), ("Version", version)] + parameters)
        let request = HTTPRequest(
            method: .post, url: settings.url(of: product),
            headers: [("content-type", "application/x-www-form-urlencoded; charset=utf-8")], body: form)
        return try await send(request, product, operation) { response throws(AWSError) in XMLText(response.body) }
    }
}

// MARK: - Attempts

extension AWSClient {
    private func send<Answer>(
        _ request: HTTPRequest, _ product: AWSProduct, _ operation: String,
        _ read: (HTTPResponse) throws(AWSError) -> Answer
    ) async throws(AWSError) -> Answer {
        let policy = RetryPolicy(maximumAttempts: settings.maximumAttempts(of: product))
        guard let bucket = buckets[product] else { preconditionFailure("every product has its bucket") }
        var (attempt, paid, isFresh) = (1, 1, false)
        while true {
            let signer = try await credentials.credentials(for: product, operation)
            var error: AWSError
            do throws(AWSError) {
                let response = try await exchange(request, product, operation, signer)
                let answer = try Self.readable(response, read)
                bucket.give(paid)
                return answer
            } catch let failure {
                error = failure
            }
            error.attempts = attempt
            if RetryPolicy.isExpiry(error), !isFresh, let signer {
                // Fresh credentials are worth one more attempt, which is charged to nobody.
                isFresh = true
                await credentials.replace(signer)
                attempt += 1
                continue
            }
            let isSkewed = correctSkew(error)
            guard let trouble = isSkewed ? .transient : RetryPolicy.trouble(error),
                attempt < policy.maximumAttempts, !Task.isCancelled, bucket.take(trouble.cost)
            else { throw error }
            paid = trouble.cost
            await clock.sleep(RetryPolicy.delay(after: error, attempt: attempt, random: clock.random()))
            attempt += 1
        }
    }

    /// What `read` makes of an answer; an error that it throws tells of the answer.
    private static func readable<Answer>(
        _ response: HTTPResponse, _ read: (HTTPResponse) throws(AWSError) -> Answer
    ) throws(AWSError) -> Answer {
        do throws(AWSError) {
            return try read(response)
        } catch let failure {
            var error = failure
            (error.status, error.requestID) = (response.status, response.requestID)
            throw error
        }
    }

    /// Waits before something is asked for again that the call itself did not fail for.
    func pause(afterAttempt attempt: Int, of product: AWSProduct, _ code: String) async {
        let error = AWSError(.refused(code), product, "batch", message: "")
        await clock.sleep(RetryPolicy.delay(after: error, attempt: attempt, random: clock.random()))
    }

    private func exchange(
        _ request: HTTPRequest, _ product: AWSProduct, _ operation: String, _ signer: Credentials?
    ) async throws(AWSError) -> HTTPResponse {
        var request = request
        if let signer {
            let skew = skewMilliseconds.load(ordering: .relaxed)
            request.headers.append(("x-amz-date", clock.now().adding(milliseconds: skew).signingText))
            if let token = signer.sessionToken { request.headers.append(("x-amz-security-token", token)) }
            request.signature = HTTPRequest.Signature(
                accessKey: signer.accessKey, secretKey: signer.secretKey, region: settings.region,
                name: product.signingName)
        }
        let response: HTTPResponse
        do throws(TransportFailure) {
            response = try await pool.send(request)
        } catch {
            throw AWSError(.unreachable, product, operation, message: "\(error)")
        }
        if response.isSuccess { return response }
        throw AWSError(product, operation, refusal: response)
    }

    /// Learns AWS's time from an answer that a wrong clock may have led to; true when that is worth another attempt.
    private func correctSkew(_ error: AWSError) -> Bool {
        guard RetryPolicy.isSuspectOfSkew(error), let theirs = error.answeredAt else { return false }
        let skew = theirs.milliseconds - clock.now().milliseconds
        // Signatures are good for five minutes; a smaller difference is not what was wrong.
        guard abs(skew - skewMilliseconds.load(ordering: .relaxed)) > 4 * 60_000 else { return false }
        skewMilliseconds.store(skew, ordering: .relaxed)
        return true
    }
}

/// An answer in JSON.
struct JSONAnswer: Sendable {
    let value: JSONValue
    /// What AWS's support asks for.
    let requestID: String?

    /// What an error says at its end of the request.
    var place: String { requestID.map { ", request id \($0)" } ?? "" }
}

extension AWSError {
    /// An answer that lacks what it has to have.
    init(_ product: AWSProduct, _ operation: String, unreadable answer: JSONAnswer, message: String) {
        self.init(.unreadable, product, operation, message: message)
        (status, requestID) = (200, answer.requestID)
    }
}

extension HTTPResponse {
    /// The id that AWS gave the request, where a header has it.
    fileprivate var requestID: String? { headers["x-amzn-requestid"] ?? headers["x-amz-request-id"] }
}

extension AWSError {
    /// What an answer with a status of failure tells, in JSON or XML.
    init(_ product: AWSProduct, _ operation: String, refusal response: HTTPResponse) {
        let json = try? JSONValue(response.body)
        let xml = XMLText(response.body)
        // `com.amazonaws.dynamodb.v20120810#Name` or `Name:http://…`: the name alone is the same everywhere.
        let written =
            response.headers["x-amzn-errortype"] ?? json?["__type"]?.text ?? json?["code"]?.text ?? xml["Code"]
            ?? "HTTP\(response.status)"
        let name = written.split(separator: "#").last?.split(separator: ":").first.map(String.init) ?? written
        let message = json?["message"]?.text ?? json?["Message"]?.text ?? xml["Message"] ?? ""
        self.init(.refused(name), product, operation, message: message)
        status = response.status
        requestID = response.requestID ?? xml["RequestId"]
        details = json
        retryAfterMilliseconds = Self.retryAfter(response.headers)
        answeredAt = response.headers["date"].flatMap(Timestamp.init(httpDate:))
    }

    /// AWS's own header counts milliseconds, that of HTTP seconds or a date, which AWS does not write.
    private static func retryAfter(_ headers: [String: String]) -> Int64? {
        if let own = headers["x-amz-retry-after"], let milliseconds = Int64(own) {
            return milliseconds >= 0 ? milliseconds : nil
        }
        guard let seconds = headers["retry-after"].flatMap({ Int64($0) }), (0...3600).contains(seconds) else {
            return nil
        }
        return seconds * 1000
    }
}

extension Timestamp {
    /// The moment as signatures write it: `20261124T071053Z`.
    var signingText: String {
        description.filter { $0 != "-" && $0 != ":" }.prefix(15) + "Z"
    }
}

import EventStore
import TestAWS
import Testing

@testable import AWSEngine

@Suite("Calls that do not succeed at once")
struct RetryTests {
    private let fine = WireProxy.Reaction.answer(200, headers: [:], body: #"{"fine":true}"#)

    /// A server that reacts to the first requests in turn and answers all others well.
    private func server(_ first: WireProxy.Reaction...) -> WireProxy {
        WireProxy(to: nil) { [fine] request in request.number <= first.count ? first[request.number - 1] : fine }
    }

    @Test(
        "what passes is tried again",
        arguments: [
            WireProxy.Reaction.throttle, .refuse("ThrottlingException"), .refuse("InternalServerError", status: 500),
            .refuse("ServiceUnavailable", status: 503), .refuse("RequestLimitExceeded"),
            .refuse("Nameless", status: 502),
            .refuse("TransactionConflictException"), .refuse("Anything", status: 429), .cut,
            .answer(200, headers: [:], body: #"{"fine":tr"#), .answer(500, headers: [:], body: "<html>"),
        ])
    func retried(reaction: WireProxy.Reaction) async throws {
        let (server, clock) = (server(reaction), TestClock())
        let client = try AWSClient(to: server.url, clock)
        #expect(try await client.ask()["fine"] == .boolean(true))
        #expect(server.count("Ask") == 2)
        #expect(clock.sleeps.count == 1)
    }

    @Test(
        "what would fail again is not tried again, and tells its request id",
        arguments: [
            "ConditionalCheckFailedException", "ValidationException", "AccessDeniedException",
            "ResourceNotFoundException", "TransactionCanceledException",
        ])
    func final(code: String) async throws {
        let (server, clock) = (server(.refuse(code, message: "item 00123")), TestClock())
        let error = try #require(await awsFailure { try await AWSClient(to: server.url, clock).ask() })
        #expect(error.code == .refused(code))
        #expect(error.status == 400)
        #expect(error.requestID == "request-of-the-proxy")
        #expect(error.attempts == 1)
        #expect("\(error)".contains("request id request-of-the-proxy"))
        #expect(server.count("Ask") == 1)
        #expect(clock.sleeps.isEmpty)
    }

    @Test("an error shows what AWS said only where that can't quote what was sent")
    func discretion() async throws {
        // A service that finds a signature wrong quotes the headers that it has read, with the session token.
        for (code, isShown) in [
            ("ValidationException", false), ("AccessDeniedException", true), ("SignatureDoesNotMatch", false),
            ("InvalidSignatureException", false),
        ] {
            let server = server(.refuse(code, message: "about 00123"))
            let error = await awsFailure { try await AWSClient(to: server.url, TestClock()).ask() }
            #expect(error.map { "\($0)".contains("00123") } == isShown)
            #expect(error.map { "\($0.asStoreError)".contains("00123") } == isShown)
        }
    }

    @Test("a call is made as often as its product allows, waiting up to twice as long each time")
    func attempts() async throws {
        let broken = WireProxy(to: nil) { _ in .refuse("InternalServerError", status: 500) }
        for (product, attempts, waits) in [
            (AWSProduct.dynamoDB, 4, [24, 49, 99]), (.sqs, 3, [49, 99]),
        ] as [(AWSProduct, Int, [Int64])] {
            broken.forget()
            let clock = TestClock()
            let error = await awsFailure { try await AWSClient(to: broken.url, clock).ask(product) }
            #expect(error?.attempts == attempts)
            #expect(broken.count("Ask") == attempts)
            #expect(clock.sleeps == waits)
        }
        let clock = TestClock()
        broken.forget()
        _ = await awsFailure {
            try await AWSClient(to: broken.url, clock, environment: ["AWS_MAX_ATTEMPTS": "2"]).ask()
        }
        #expect(broken.count("Ask") == 2)
    }

    @Test("the wait is drawn from nothing up to its ceiling: one second for throttling, twenty at most")
    func jitter() {
        var error = AWSError(.refused("ThrottlingException"), .sqs, "Ask", message: "")
        #expect(RetryPolicy.delay(after: error, attempt: 1, random: 0) == 0)
        #expect(RetryPolicy.delay(after: error, attempt: 1, random: 1 << 63) == 500)
        #expect(RetryPolicy.delay(after: error, attempt: 2, random: .max) == 1999)
        #expect(RetryPolicy.delay(after: error, attempt: 60, random: .max) == 19_999)
        error.retryAfterMilliseconds = 3000
        #expect(RetryPolicy.delay(after: error, attempt: 1, random: 0) == 3000)
        error.retryAfterMilliseconds = 60_000
        #expect(RetryPolicy.delay(after: error, attempt: 1, random: 1 << 63) == 5500)
        error.retryAfterMilliseconds = 10
        #expect(RetryPolicy.delay(after: error, attempt: 1, random: 1 << 63) == 500)
    }

    @Test("the wait that an answer asks for is kept", arguments: [("x-amz-retry-after", "1200"), ("Retry-After", "1")])
    func retryAfter(header: String, value: String) async throws {
        let server = server(.refuse("InternalServerError", status: 500, headers: [header: value]))
        let clock = TestClock(random: 0)
        _ = try await AWSClient(to: server.url, clock).ask()
        #expect(clock.sleeps == [header == "Retry-After" ? 1000 : 1200])
    }

    @Test("when all calls fail the tokens run out, and no call is tried twice any more")
    func tokens() async throws {
        let broken = WireProxy(to: nil) { _ in .refuse("InternalServerError", status: 500) }
        let client = try AWSClient(to: broken.url, TestClock())
        for _ in 0..<20 { _ = await awsFailure { try await client.ask() } }
        // 500 tokens pay for 35 retries of 14.
        #expect(broken.count("Ask") == 20 + 35)
    }

    @Test("an outage of one product leaves the others their retries")
    func tokensOfEach() async throws {
        let server = WireProxy(to: nil) { [fine] request in
            request.headers["x-amz-target"]?.hasPrefix("AmazonSQS") == true || request.number % 2 == 1
                ? .refuse("InternalServerError", status: 500) : fine
        }
        let client = try AWSClient(to: server.url, TestClock())
        for _ in 0..<40 { _ = await awsFailure { try await client.ask(.sqs) } }
        server.forget()
        _ = try await client.ask(.dynamoDB)
        #expect(server.count("Ask") == 2)
    }

    @Test("an answer that can't be read tells its status and its request id")
    func unreadable() async throws {
        let server = WireProxy(to: nil) { _ in
            .answer(200, headers: ["x-amzn-RequestId": "request-7"], body: "<html>")
        }
        let error = await awsFailure { try await AWSClient(to: server.url, TestClock()).ask() }
        #expect(error?.code == .unreadable)
        #expect(error?.status == 200)
        #expect(error.map { "\($0)".contains("request id request-7") } == true)
    }

    @Test("a call that succeeds gives back what its last retry has cost")
    func refund() async throws {
        let server = WireProxy(to: nil) { [fine] in $0.number % 2 == 1 ? .throttle : fine }
        let client = try AWSClient(to: server.url, TestClock())
        for _ in 0..<150 { _ = try await client.ask() }
        #expect(server.count("Ask") == 300)
    }

    @Test("a clock that is wrong by hours is corrected from AWS's answer, once and for all later calls")
    func skew() async throws {
        let clock = TestClock()
        let server = WireProxy(to: nil) { [fine] request in
            // The server's clock: 2026-11-24 10:10:53, three hours ahead.
            request.headers["x-amz-date"]?.hasPrefix("20261124T1010") == true
                ? fine
                : .refuse("InvalidSignatureException", headers: ["Date": "Tue, 24 Nov 2026 10:10:53 GMT"])
        }
        let client = try AWSClient(to: server.url, clock)
        _ = try await client.ask()
        #expect(server.count("Ask") == 2)
        _ = try await client.ask()
        #expect(server.count("Ask") == 3)
    }

    @Test("a signature that is refused although the clocks agree is no matter of time")
    func noSkew() async throws {
        let server = server(.refuse("SignatureDoesNotMatch", headers: ["Date": "Tue, 24 Nov 2026 07:11:53 GMT"]))
        let error = await awsFailure { try await AWSClient(to: server.url, TestClock()).ask() }
        #expect(error?.code == .refused("SignatureDoesNotMatch"))
        #expect(server.count("Ask") == 1)
    }
}

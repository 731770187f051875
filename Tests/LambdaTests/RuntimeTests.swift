import EventStore
import Foundation
import LambdaRuntime
import TestAWS
import TestPrograms
import Testing

/// The real program under a runtime API, with an AWS that answers as the test wants.
@Suite struct RuntimeTests {
    private static func environment(_ aws: WireProxy? = nil) -> [String: String] {
        [
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": aws?.url ?? "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1",
            "KMS_KEY_ID": "alias/test", "LOG_LEVEL": "info",
        ]
    }

    @Test("what keeps a function from beginning is told to Lambda, with what to do")
    func initialError() async throws {
        var environment = Self.environment()
        environment["AWS_REGION"] = ""
        for (handler, variables, told) in [
            ("nobody", Self.environment(), "_HANDLER is 'nobody'"), ("appointment", environment, "set AWS_REGION"),
            ("appointment-pe", Self.environment(), "set RDS_HOST"),
            ("appointment-mirror", Self.environment(), "set RDS_HOST"),
        ] {
            let host = LambdaHost(handler, variables)
            let program = try host.program()
            #expect(try await program.waitForExit() == 1)
            #expect(host.initialError?["errorMessage"]?.text?.contains(told) == true, "\(handler): \(program.errors)")
            #expect(host.initialError?["errorType"]?.text == "Ledger.Misconfigured")
        }
    }

    @Test("an event that is none of the program's, or of another function's, fails and ends nothing")
    func strangeEvents() async throws {
        let aws = WireProxy(to: nil) { _ in .refuse("ServiceUnavailable", status: 503) }
        let host = LambdaHost("appointment", Self.environment(aws))
        for event in ["{}", "[1]", "null", #"{"Records":[{"eventSource":"aws:s3"}]}"#, #"{"Records":[{}]}"#] {
            guard case .failed("Event.Unreadable", _) = try await host.invoke(event) else {
                Issue.record("\(event) was taken")
                continue
            }
        }
        let schedule = #"{"source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#
        guard case .failed("Ledger.Unavailable", let message) = try await host.invoke(schedule) else {
            Issue.record("the sweeper swept without a store")
            return
        }
        #expect(message.contains("ServiceUnavailable"))
        #expect(host.starts == 1)
        #expect(host.log.contains(#""requestId":"00000000-0000-4000-8000-10000000000"#))
    }

    @Test("asked to end while it waits it ends at once; with an invocation in hand it answers that first")
    func termination() async throws {
        let aws = WireProxy(to: nil) { _ in
            .slow(milliseconds: 1500, .refuse("ServiceUnavailable", status: 503))
        }
        let host = LambdaHost("appointment", Self.environment(aws))
        try await host.waitUntilIdle()
        let idle = try host.program()
        idle.signal(SIGTERM)
        #expect(try await idle.waitForExit() == 0)
        var busy: RunningProgram?
        let outcome = try await host.invoke(#"{"Records":[]}"#) { program in
            busy = program
            try await Task.sleep(for: .milliseconds(200))
            program.signal(SIGTERM)
        }
        guard case .failed("Ledger.Unavailable", _) = outcome else {
            Issue.record("it was dropped: \(outcome)")
            return
        }
        // Not the host's program: that is another one when this one has ended by now.
        #expect(try await busy?.waitForExit() == 0)
    }

    @Test("an invocation that can't be done in its time is given up before Lambda kills the process")
    func deadline() async throws {
        let aws = WireProxy(to: nil) { _ in .slow(milliseconds: 8000, .refuse("ServiceUnavailable", status: 503)) }
        let host = LambdaHost("appointment", Self.environment(aws))
        // On a machine that is busy with others it may be late once, and hardly five times.
        for _ in 0..<5 {
            try await host.waitUntilIdle()
            let starts = host.starts
            guard
                case .failed("Ledger.Unavailable", let message) = try await host.invoke(
                    #"{"Records":[]}"#, milliseconds: 4200)
            else { continue }
            #expect(message.contains("cancelled"))
            #expect(host.starts == starts)
            return
        }
        Issue.record("it was killed each time: \(host.log)")
    }

    @Test("what a store does not answer is a 503 of the API, not a failure of the function")
    func unavailable() async throws {
        let aws = WireProxy(to: nil) { request in
            request.operation == "GetItem" || request.operation == "GetParameter"
                ? .refuse("ServiceUnavailable", status: 503) : .cut
        }
        let host = LambdaHost("appointment", Self.environment(aws))
        guard case .answered(let answer) = try await host.invoke(Deployment.event("GET", "/appointments/00123"))
        else {
            Issue.record("no answer: \(host.log)")
            return
        }
        #expect(answer["statusCode"]?.whole == 503)
        #expect(answer["body"]?.text?.contains("STORE_UNAVAILABLE") == true)
        #expect(answer["multiValueHeaders"]?["Retry-After"]?.elements.count == 1)
    }
}

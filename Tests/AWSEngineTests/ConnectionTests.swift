import EventStore
import HTTPClient
import TestAWS
import Testing

@testable import AWSEngine

@Suite("Connections")
struct ConnectionTests {
    private let fine = WireProxy.Reaction.answer(200, headers: [:], body: "{}")

    @Test("one connection carries one call after the other")
    func reuse() async throws {
        let server = WireProxy(to: nil) { [fine] _ in fine }
        let client = try AWSClient(to: server.url, TestClock())
        for _ in 0..<50 { _ = try await client.ask() }
        #expect(Set(server.requests.map(\.connection)) == [1])
    }

    @Test("not more calls run at once than there are connections; the others wait for their turn")
    func crowd() async throws {
        let server = WireProxy(to: nil) { [fine] _ in .slow(milliseconds: 2, fine) }
        let client = try AWSClient(to: server.url, TestClock(), pool: ConnectionPool(size: 3))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<60 { group.addTask { _ = try await client.ask() } }
            try await group.waitForAll()
        }
        #expect(server.requests.count == 60)
        #expect((server.requests.map(\.connection).max() ?? 0) <= 3)
    }

    @Test("sixteen calls that wait for their answers leave the shared threads to others")
    func blocking() async throws {
        let server = WireProxy(to: nil) { [fine] request in
            // Nobody is answered before all have asked.
            request.operation == "Open" ? fine : .slow(milliseconds: 300, fine)
        }
        let client = try AWSClient(to: server.url, TestClock(), pool: ConnectionPool(size: 17))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = try await client.ask() } }
            group.addTask {
                while server.count("Ask") < 16 { await Task.yield() }
                _ = try await client.call(.dynamoDB, "Open") { _ in }
            }
            try await group.waitForAll()
        }
        #expect(server.count("Open") == 1)
    }

    @Test("an answer that does not come in time is given up, and asked for again")
    func timeOut() async throws {
        let server = WireProxy(to: nil) { [fine] in $0.number == 1 ? .slow(milliseconds: 30_000, fine) : fine }
        let client = try AWSClient(to: server.url, TestClock())
        _ = try await client.ask(timeoutMilliseconds: 5000)
        #expect(server.count("Ask") == 2)
    }

    @Test("where nobody listens the call fails and says so")
    func unreachable() async throws {
        let clock = TestClock()
        let error = await awsFailure { try await AWSClient(to: "http://127.0.0.1:1", clock).ask() }
        #expect(error?.code == .unreachable)
        #expect(error?.asStoreError.code == .unavailable)
        #expect(clock.sleeps.count == 3)
    }

    @Test("a cancelled call ends early and is not made again")
    func cancellation() async throws {
        let server = WireProxy(to: nil) { [fine] _ in .slow(milliseconds: 8000, fine) }
        let client = try AWSClient(to: server.url, TestClock())
        let call = Task { await awsFailure { try await client.ask(timeoutMilliseconds: 8000) } }
        while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        call.cancel()
        #expect(await call.value?.message == "the call was cancelled")
        #expect(server.count("Ask") == 1)
    }

    @Test("an answer that never ends is refused")
    func endless() async throws {
        let server = WireProxy(to: nil) { _ in
            .answer(200, headers: [:], body: String(repeating: " ", count: 9 << 20) + "{}")
        }
        let client = try AWSClient(to: server.url, TestClock(), environment: ["AWS_MAX_ATTEMPTS": "1"])
        #expect(await awsFailure { try await client.ask() }?.code == .unreachable)
    }
}

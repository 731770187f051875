import HTTPServer
import Logging
import MemoryEngine
import NIOCore
import RawHTTP
import ServiceLifecycle
import Synchronization
import Testing

/// How requests and answers are framed, and how the server ends.
@Suite struct ExchangeTests {
    private static let chunkedHead =
        "POST /appointments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Transfer-Encoding: chunked\r\n"

    /// A good request in two chunks.
    private static var chunkedRequest: String {
        let half = World.request.utf8.count / 2
        let parts = [World.request.prefix(half), World.request.dropFirst(half)]
        let chunks = parts.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined()
        return chunkedHead + "\r\n" + chunks + "0\r\n\r\n"
    }

    @Test("a chunked body is read like one with a length")
    func chunked() async throws {
        let world = try World()
        let bytes = Array(Self.chunkedRequest.utf8)
        let answer = try await withServer(world) { port in try await exchange(port, bytes) }
        #expect(answer?.status == 201)
        #expect(try await world.store.head() == 1)
    }

    @Test("a client that waits to be told to go on is told, and then answered")
    func expectContinue() async throws {
        let statuses = try await withServer(try World()) { port in
            try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                let bytes = World.asking(headers: "Expect: 100-continue\r\n")
                client.send(Array(bytes.dropLast(World.request.utf8.count)))
                let first = client.answer()?.status
                client.send(World.request)
                return [first, client.answer()?.status]
            }
        }
        #expect(statuses == [100, 201])
    }

    @Test("a client that announces too much is refused before it sends any of it")
    func expectTooMuch() async throws {
        let answer = try await withServer(try World()) { port in
            try await exchange(
                port,
                Array(
                    """
                    POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \
                    20000\r\nExpect: 100-continue\r\n\r\n
                    """
                    .utf8))
        }
        #expect(answer?.status == 413)
    }

    @Test("a chunked body over the limit is refused while it is read, also after 100 Continue")
    func endlessChunks() async throws {
        let statuses = try await withServer(try World()) { port in
            try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                client.send(Self.chunkedHead + "Expect: 100-continue\r\n\r\n")
                let first = client.answer()?.status
                // No last chunk: the answer does not wait for it.
                for _ in 0..<17 { client.send("400\r\n" + String(repeating: " ", count: 1024) + "\r\n") }
                return [first, client.answer()?.status]
            }
        }
        #expect(statuses == [100, 413])
    }

    @Test("HTTP/1.0 needs no Host, is answered and closed, and may not be chunked")
    func oldVersion() async throws {
        try await withServer(try World()) { port in
            let (answer, isClosed) = try await onThread { () -> (Answer?, Bool) in
                let client = try RawClient(port: port)
                client.send("GET /health/live HTTP/1.0\r\n\r\n")
                return (client.answer(), client.isClosed())
            }
            #expect(answer?.status == 200)
            #expect(isClosed)
            let chunked = Self.chunkedRequest.replacing("HTTP/1.1", with: "HTTP/1.0")
            #expect(try await exchange(port, Array(chunked.utf8))?.status == 400)
        }
    }

    @Test("HEAD is answered as GET is, without the body, and the connection goes on")
    func head() async throws {
        try await withServer(try World()) { port in
            for target in ["/openapi.yaml", "/appointments/00123", "/nothing"] {
                let answers = try await onThread { () -> [Answer?] in
                    let client = try RawClient(port: port)
                    client.send(request("HEAD \(target)"))
                    let head = client.answer(hasBody: false)
                    client.send(request("GET \(target)"))
                    return [head, client.answer()]
                }
                let (head, get) = (try #require(answers[0]), try #require(answers[1]))
                #expect(head.status == get.status)
                for name in ["Content-Type", "Access-Control-Allow-Origin"] {
                    #expect(head.header(name) == get.header(name))
                }
                let differences = abs(Int(head.header("Content-Length") ?? "")! - get.body.count)
                // A problem holds a time and an id, both of one length.
                #expect(differences == 0, "\(target)")
            }
        }
    }

    @Test("OPTIONS is answered over the wire, for a path and for the whole server")
    func options() async throws {
        try await withServer(try World()) { port in
            for target in ["*", "/appointments/00123"] {
                let answer = try #require(
                    try await exchange(
                        port,
                        request(
                            "OPTIONS \(target)",
                            headers: "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n")))
                #expect(answer.status == 200)
                expectCommonHeaders(answer)
            }
        }
    }

    @Test("the rest of a request has its deadline, also when its beginning came with the one before")
    func pipelinedDeadline() async throws {
        var limits = TransportLimits()
        limits.requestDeadline = .milliseconds(300)
        let statuses = try await withServer(try World(), limits: limits) { port in
            try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                client.send(request("GET /health/live") + World.asking().dropLast(5))
                return [client.answer()?.status, client.answer()?.status]
            }
        }
        #expect(statuses == [200, 408])
    }

    @Test("a shutdown ends idle connections at once, and the others after their answer")
    func shutdown() async throws {
        let store = GatedStore()
        let world = try World(failing: store)
        let server = APIServer(table: world.table, host: "127.0.0.1", port: 0, logger: world.logger)
        let group = ServiceGroup(services: [server], logger: world.logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let port = await server.port
            let isAnswered = Mutex(false)
            async let idle = onThread { () -> Bool in
                let client = try RawClient(port: port)
                client.send(request("GET /health/live"))
                _ = client.answer()
                isAnswered.withLock { $0 = true }
                return client.isClosed()
            }
            async let busy = onThread { () -> (Answer?, Bool) in
                let client = try RawClient(port: port)
                client.send(World.asking())
                return (client.answer(), client.isClosed())
            }
            while store.waiting == 0 || !isAnswered.withLock(\.self) {
                try await Task.sleep(for: .milliseconds(5))
            }
            await group.triggerGracefulShutdown()
            #expect(try await idle)
            store.open()
            let (answer, isClosed) = try await busy
            #expect(answer?.status == 201)
            #expect(answer?.header("Connection") == "close")
            #expect(isClosed)
            try await tasks.waitForAll()
        }
    }

    @Test("twenty clients with one Idempotency-Key get one appointment and twenty equal answers")
    func oneKey() async throws {
        let world = try World()
        try await withServer(world) { port in
            let asking = World.asking(headers: "Idempotency-Key: visit-1\r\n")
            let answers = try await withThrowingTaskGroup(of: Answer?.self) { group in
                for _ in 0..<20 { group.addTask { try await exchange(port, asking) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0?.status == 201 })
            #expect(Set(answers.map { $0?.body }).count == 1)
            #expect(Set(answers.map { $0?.header("Location") }).count == 1)
            #expect(answers.filter { $0?.header("Idempotent-Replayed") == nil }.count == 1)
            let other = World.asking(insured: "00124", headers: "Idempotency-Key: visit-1\r\n")
            #expect(try await exchange(port, other)?.status == 422)
        }
        #expect(try await world.store.head() == 1)
    }
}

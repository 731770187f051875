import Glibc
import HTTPServer
import NIOCore
import RawHTTP
import Testing

/// How the server treats connections: limits, deadlines, order.
@Suite struct TransportTests {
    @Test("a client that trickles is cut off at the absolute deadline, whatever it sends meanwhile")
    func slowClient() async throws {
        var limits = TransportLimits()
        limits.requestDeadline = .milliseconds(300)
        let world = try World()
        try await withServer(world, limits: limits) { port in
            let (answer, isClosed) = try await onThread { () -> (Answer?, Bool) in
                let client = try RawClient(port: port)
                for byte in Array("GET /health/live HTTP/1.1\r\nHost: a".utf8) {
                    guard client.send([byte]) else { break }
                    usleep(20_000)
                }
                return (client.answer(), client.isClosed())
            }
            #expect(answer?.status == 408)
            #expect(isClosed)
        }
    }

    @Test("a client that asks and asks and never reads is cut off")
    func slowReader() async throws {
        var limits = TransportLimits()
        limits.requestDeadline = .seconds(2)
        limits.answerDeadline = .milliseconds(300)
        try await withServer(try World(), limits: limits) { port in
            let isCutOff = try await onThread { () -> Bool in
                let client = try RawClient(port: port)
                // Far more answers than the buffers of both ends hold. Then a space now and then, until there is nobody
                // to send it to: reading would be what this client does not do.
                var isOpen = client.send(Array(repeatElement(request("GET /openapi.yaml"), count: 1000).joined()))
                for _ in 0..<400 where isOpen {
                    usleep(50_000)
                    isOpen = client.send(" ")
                }
                return !isOpen
            }
            #expect(isCutOff)
        }
    }

    @Test("an idle connection is closed")
    func idle() async throws {
        var limits = TransportLimits()
        limits.idle = .milliseconds(200)
        limits.requestDeadline = .milliseconds(500)
        try await withServer(try World(), limits: limits) { port in
            let isClosed = try await onThread { () -> Bool in
                let client = try RawClient(port: port)
                client.send(request("GET /health/live"))
                _ = client.answer()
                return client.isClosed()
            }
            #expect(isClosed)
        }
    }

    @Test("requests that are sent in one go are answered in their order")
    func pipelined() async throws {
        try await withServer(try World()) { port in
            let statuses = try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                client.send(
                    request("GET /health/live") + request("GET /nothing") + post(Array(World.request.utf8))
                        + request("GET /openapi.yaml"))
                return (0..<4).map { _ in client.answer()?.status }
            }
            #expect(statuses == [200, 404, 201, 200])
        }
    }

    @Test("a body over the limit is refused while it is read, before the rest has come")
    func earlyRefusal() async throws {
        try await withServer(try World()) { port in
            let answer = try await onThread { () -> Answer? in
                let client = try RawClient(port: port)
                client.send(
                    """
                    POST /appointments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \
                    10000000\r\n\r\n
                    """
                )
                client.send(Array(repeating: 0x20, count: 20_000))
                return client.answer()
            }
            #expect(answer?.status == 413)
        }
    }

    @Test("HTTP/1.0 is answered and the connection closed; Connection: close as well", arguments: ["1.0", "1.1"])
    func closes(version: String) async throws {
        try await withServer(try World()) { port in
            let (status, isClosed) = try await onThread { () -> (Int?, Bool) in
                let client = try RawClient(port: port)
                client.send("GET /health/live HTTP/\(version)\r\nHost: a\r\nConnection: close\r\n\r\n")
                return (client.answer()?.status, client.isClosed())
            }
            #expect(status == 200)
            #expect(isClosed)
        }
    }

    @Test("a hundred connections that say nothing keep nobody out")
    func silentConnections() async throws {
        try await withServer(try World()) { port in
            let status = try await onThread { () -> Int? in
                let silent = try (0..<100).map { _ in try RawClient(port: port) }
                let client = try RawClient(port: port)
                client.send(request("GET /health/live"))
                let status = client.answer()?.status
                withExtendedLifetime(silent) {}
                return status
            }
            #expect(status == 200)
        }
    }

    @Test("random bytes never stop the server")
    func noise() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed of the noise: \(seed)")
        try await withServer(try World()) { port in
            try await onThread {
                var state = seed
                for _ in 0..<300 {
                    let client = try RawClient(port: port, timeoutSeconds: 1)
                    var bytes = post(Array(World.request.utf8))
                    for _ in 0..<3 {
                        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 17)
                    }
                    client.send(bytes)
                    client.finish()
                    _ = client.answer()
                }
            }
            #expect(try await exchange(port, request("GET /health/live"))?.status == 200, "with seed \(seed)")
        }
    }
}

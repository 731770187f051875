import API
import Glibc
import HTTPServer
import NIOCore
import RawHTTP
import Testing

/// What a caller without a key can use up: memory and connections have their limits.
@Suite struct StrangerTests {
    private static let manyRequests = Array(repeatElement(request("GET /openapi.yaml"), count: 1400).joined())

    private static let unlimited = RateLimits(perHolder: nil, perAddress: nil, wrongKeys: nil)

    private func wait(_ what: String, until isTrue: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while try await !isTrue() {
            try #require(ContinuousClock.now < end, "\(what) never came")
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("a client that sends and does not read costs at most 256 KiB of answers, and has them all when it reads")
    func unread() async throws {
        try await withRunningServer(try World(limits: Self.unlimited)) { server in
            let port = await server.port
            let clients = try await onThread { () -> Clients in
                let clients = Clients(try (0..<20).map { _ in try RawClient(port: port, receiveBytes: 4096) })
                for client in clients.all { client.send(Self.manyRequests) }
                return clients
            }
            // Each has as much waiting as it may, and that stays so.
            try await wait("a full connection") { server.heldBytes > 20 * 32 * 1024 }
            for _ in 0..<50 {
                #expect(server.heldBytes <= 20 * 256 * 1024)
                try await Task.sleep(for: .milliseconds(10))
            }
            let statuses = try await onThread { (0..<1400).map { _ in clients.all[0].answer()?.status } }
            #expect(statuses.allSatisfy { $0 == 200 })
            #expect(try await exchange(port, request("GET /health/live"))?.status == 200)
            clients.drop()
            try await wait("the end of what was held") { server.heldBytes == 0 }
        }
    }

    @Test("when too many answers wait, who has not read for longest is cut off, and others are answered")
    func budget() async throws {
        var limits = TransportLimits()
        limits.answerBytes = 256 * 1024
        try await withRunningServer(try World(limits: Self.unlimited), limits: limits) { server in
            let port = await server.port
            let clients = try await onThread { () -> Clients in
                let clients = Clients(try (0..<12).map { _ in try RawClient(port: port, receiveBytes: 4096) })
                for client in clients.all { client.send(Self.manyRequests) }
                return clients
            }
            try await wait("a client that was cut off") {
                try await onThread { !clients.all.allSatisfy { $0.send(" ") } }
            }
            #expect(server.heldBytes <= 512 * 1024)
            #expect(try await exchange(port, request("GET /openapi.yaml"))?.status == 200)
            clients.drop()
        }
    }

    @Test("an address that has its share of connections loses the one that was idle for longest; others lose none")
    func perAddress() async throws {
        var limits = TransportLimits()
        (limits.connections, limits.connectionsPerAddress) = (20, 8)
        try await withServer(try World(), limits: limits) { port in
            try await onThread {
                func call(_ client: RawClient) -> Int? {
                    client.send(request("GET /health/live"))
                    return client.answer()?.status
                }
                let other = try RawClient(port: port, from: "127.0.0.2")
                #expect(call(other) == 200)
                let clients = try (0..<40).map { _ in try RawClient(port: port) }
                #expect(call(try RawClient(port: port)) == 200)
                #expect(clients[0].isClosed())
                #expect(call(clients[39]) == 200)
                #expect(call(other) == 200)
            }
        }
    }

    @Test("when all connections are taken, the one that was idle for longest makes room, whoever has it")
    func full() async throws {
        var limits = TransportLimits()
        (limits.connections, limits.connectionsPerAddress) = (20, 8)
        try await withServer(try World(), limits: limits) { port in
            try await onThread {
                let clients = try (0..<60).map { number in
                    try RawClient(port: port, from: "127.0.0.\(number / 6 + 1)")
                }
                for address in ["127.0.0.1", "127.0.0.77"] {
                    let client = try RawClient(port: port, from: address)
                    client.send(request("GET /health/live"))
                    #expect(client.answer()?.status == 200)
                }
                #expect(clients[0].isClosed())
                withExtendedLifetime(clients) {}
            }
        }
    }

    @Test("the limit of connections follows the files that the process may open")
    func fits() {
        var limits = TransportLimits()
        limits.fit(openFiles: 1024)
        #expect(limits.connections == 896 && limits.connectionsPerAddress <= 448)
        limits.fit(openFiles: 20)
        #expect(limits.connections == 10 && limits.connectionsPerAddress == 5)
        var wide = TransportLimits()
        wide.fit(openFiles: 1 << 20)
        #expect(wide.connections == 4096 && wide.connectionsPerAddress == 512)
    }

    @Test("requests that are sent in one go, and then nothing more, are all answered in their order")
    func pipelined() async throws {
        try await withServer(try World()) { port in
            let statuses = try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                let round = request("GET /health/live") + request("GET /nothing") + post(Array(World.request.utf8))
                client.send(Array(repeatElement(round, count: 40).joined()))
                client.finish()
                return (0..<120).map { _ in client.answer()?.status }
            }
            #expect(statuses == Array(repeatElement([200, 404, 201], count: 40).joined()))
        }
    }

    @Test("a request is read whatever pieces it comes in", arguments: [1, 2, 3, 7])
    func pieces(size: Int) async throws {
        try await withServer(try World()) { port in
            let statuses = try await onThread { () -> [Int?] in
                let client = try RawClient(port: port)
                let chunked =
                    "POST /appointments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n1E;a=b\r\n\(World.request.prefix(30))\r\n"
                    + "\(String(World.request.utf8.count - 30, radix: 16))\r\n\(World.request.dropFirst(30))\r\n"
                    + "0\r\nX-Trailer: a\r\n\r\n"
                var rest = (post(Array(World.request.utf8)) + Array("\r\n".utf8) + Array(chunked.utf8))[...]
                while !rest.isEmpty {
                    client.send(Array(rest.prefix(size)))
                    rest = rest.dropFirst(size)
                }
                return [client.answer()?.status, client.answer()?.status]
            }
            #expect(statuses == [201, 201])
        }
    }

    // One thread at a time has them: each use ends before the next begins.
    private final class Clients: @unchecked Sendable {
        private(set) var all: [RawClient]
        init(_ all: [RawClient]) { self.all = all }
        func drop() { all = [] }
    }
}

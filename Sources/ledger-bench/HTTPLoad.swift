import Foundation
import Glibc

/// Sends requests over a number of kept-alive connections and measures each: one thread, one `poll`.
struct HTTPLoad {
    let port: Int
    let connections: Int

    /// Sends `count` requests.
    ///
    /// - Parameter request: the bytes of request `index`.
    /// - Parameter status: the status line's code that every answer must have.
    /// - Throws: `BenchError` when a connection breaks or an answer has another status.
    /// - Parameter seen: is given every answer.
    func run(
        _ name: String, count: Int, status: String, request: (Int) -> [UInt8], seen: ([UInt8]) -> Void = { _ in }
    ) throws -> Measurement {
        var clients = try (0..<min(connections, count)).map { _ in try LoadConnection(port: port) }
        defer { for client in clients { close(client.socket) } }
        var ready = clients.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
        var latencies: [UInt64] = []
        latencies.reserveCapacity(count)
        let begin = Self.nanoseconds()
        var sent = 0
        for index in clients.indices {
            try clients[index].send(request(sent), at: Self.nanoseconds())
            sent += 1
        }
        while latencies.count < count {
            guard poll(&ready, nfds_t(ready.count), 10_000) > 0 else { throw BenchError("no answer within 10 s") }
            for index in ready.indices where ready[index].revents != 0 {
                guard try clients[index].receive(status: status) else { continue }
                seen(clients[index].answer)
                let now = Self.nanoseconds()
                latencies.append(now - clients[index].sentAt)
                if sent < count {
                    try clients[index].send(request(sent), at: now)
                    sent += 1
                }
            }
        }
        return Measurement(
            name: name, clients: connections, events: count, seconds: Double(Self.nanoseconds() - begin) / 1e9,
            latencies: latencies.sorted())
    }

    private static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// One connection of the load: a request at a time.
private struct LoadConnection {
    let socket: Int32
    private(set) var sentAt: UInt64 = 0
    private(set) var answer: [UInt8] = []

    init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(socket, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
        }
        guard result == 0 else { throw BenchError("the server does not answer on port \(port)") }
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    mutating func send(_ bytes: [UInt8], at now: UInt64) throws {
        sentAt = now
        answer.removeAll(keepingCapacity: true)
        guard Glibc.send(socket, bytes, bytes.count, 0) == bytes.count else {
            throw BenchError("a connection took no request")
        }
    }

    /// Reads what has come; true when the answer is whole.
    mutating func receive(status: String) throws -> Bool {
        let room = 16 * 1024
        var chunk = [UInt8](repeating: 0, count: room)
        let count = recv(socket, &chunk, room, 0)
        guard count > 0 else { throw BenchError("the server closed a connection") }
        answer.append(contentsOf: chunk.prefix(count))
        guard let end = Self.end(ofHead: answer) else { return false }
        let head = String(decoding: answer[..<end], as: UTF8.self)
        guard head.dropFirst(9).hasPrefix(status) else {
            throw BenchError("an answer was no \(status): \(head.prefix(200))")
        }
        guard let field = head.range(of: "\r\nContent-Length: "),
            let length = Int(head[field.upperBound...].prefix { $0.isNumber })
        else { throw BenchError("an answer has no Content-Length") }
        return answer.count >= end + length
    }

    private static func end(ofHead bytes: [UInt8]) -> Int? {
        let mark: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4 else { return nil }
        return (0...(bytes.count - 4)).first { bytes[$0..<($0 + 4)].elementsEqual(mark) }.map { $0 + 4 }
    }
}

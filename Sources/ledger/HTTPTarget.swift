import EventStore
import Glibc
import Synchronization

/// Posts JSON to one URL over one connection, one request after the other. It speaks HTTP, not HTTPS: a replay to
/// another machine goes through a proxy with TLS.
final class HTTPTarget: Sendable {
    private let address: Address
    private let run: Identifier
    private let socket = Mutex<Int32>(-1)

    private static let attempts = 3
    private static let timeoutSeconds = 30

    /// The parts of `http://host:port/path`.
    struct Address: Equatable, CustomStringConvertible {
        let host: String
        let port: String
        let path: String

        /// Nil for anything but plain ASCII without white space.
        init?(_ text: String) {
            guard text.hasPrefix("http://"), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
            let rest = text.dropFirst("http://".count)
            let authority = rest.prefix { $0 != "/" }
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), !parts[0].isEmpty else { return nil }
            guard let number = parts.count == 2 ? Int(parts[1]) : 80, (1...65_535).contains(number) else { return nil }
            (host, port) = (String(parts[0]), String(number))
            path = authority.count == rest.count ? "/" : String(rest.dropFirst(authority.count))
        }

        var description: String { "http://\(host):\(port)\(path)" }
    }

    init(_ address: Address, run: Identifier) { (self.address, self.run) = (address, run) }

    deinit { socket.withLock { if $0 >= 0 { close($0) } } }

    /// Posts a body; tries again after a while when the answer is no 2xx.
    ///
    /// - Parameter name: what it is, for the error.
    /// - Throws: a refusal when every attempt failed: nothing behind it was sent.
    func post(_ body: [UInt8], named name: String) async throws {
        var problem = ""
        for attempt in 0..<Self.attempts {
            if attempt > 0 { try await Task.sleep(for: .seconds(1 << attempt)) }
            switch socket.withLock({ exchange(body, over: &$0) }) {
            case .success(200..<300): return
            case .success(let status): problem = "it answered \(status)"
            case .failure(let failure): problem = failure.description
            }
        }
        throw Refusal("\(name) could not be sent to \(address): \(problem); what stands before it was sent")
    }

    private func exchange(_ body: [UInt8], over socket: inout Int32) -> Result<Int, Refusal> {
        do throws(Refusal) {
            if socket < 0 { socket = try connect() }
            let head = """
                POST \(address.path) HTTP/1.1\r\nHost: \(address.host):\(address.port)\r\n\
                Content-Type: application/json\r\nContent-Length: \(body.count)\r\nX-Replay-Id: \(run)\r\n\r\n
                """
            try send(Array(head.utf8) + body, over: socket)
            return .success(try answer(from: socket))
        } catch {
            if socket >= 0 { close(socket) }
            socket = -1
            return .failure(error)
        }
    }

    private func connect() throws(Refusal) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, address.port, &hints, &found) == 0, let first = found else {
            throw Refusal("the host \(address.host) is not known")
        }
        defer { freeaddrinfo(first) }
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next?.pointee {
            let socket = Glibc.socket(entry.ai_family, entry.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            var limit = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            if Glibc.connect(socket, entry.ai_addr, entry.ai_addrlen) == 0 { return socket }
            close(socket)
            next = entry.ai_next
        }
        throw Refusal("nobody listens there")
    }

    private func send(_ bytes: [UInt8], over socket: Int32) throws(Refusal) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Refusal("the connection took no request") }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads an answer to its end and gives its status.
    private func answer(from socket: Int32) throws(Refusal) -> Int {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { throw Refusal("the connection ended without an answer") }
            bytes += chunk.prefix(count)
            guard bytes.count < 1 << 20 else { throw Refusal("the answer is larger than 1 MiB") }
            let text = String(decoding: bytes, as: UTF8.self)
            // Some Characters are two bytes, so both parts are counted in bytes.
            guard let end = text.utf8.firstRange(of: "\r\n\r\n".utf8)?.upperBound else { continue }
            let head = text[..<end].lowercased()
            guard let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0.prefix(3)) }) else {
                throw Refusal("the answer is no HTTP")
            }
            let length = head.firstRange(of: "content-length:").flatMap { field in
                Int(head[field.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
            }
            if status == 204 { return status }
            guard let length else { throw Refusal("the answer has no Content-Length") }
            if text.utf8.distance(from: end, to: text.utf8.endIndex) >= length { return status }
        }
    }
}

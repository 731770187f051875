import Glibc

/// The address that a server is told to listen on.
struct ListenAddress {
    let host: String
    let port: Int

    var isLoopback: Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }

    /// Tries the address, so that a server that can't listen ends before it has made anything.
    ///
    /// - Throws: a refusal with what to write instead, when the host is none of this machine's or the port is taken.
    func check() throws {
        if host.isEmpty { throw Refusal("--host is empty: \(Self.advice)") }
        if host.hasPrefix("[") {
            throw Refusal("--host \(host) has brackets: write \(host.filter { !"[]".contains($0) })")
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list else {
            throw Refusal("--host '\(host)' is no address and no name that this machine knows: \(Self.advice)")
        }
        defer { freeaddrinfo(list) }
        if let code = Self.listen(on: first.pointee) { throw refusal(code) }
    }

    private static let advice = "take 127.0.0.1, ::1, 0.0.0.0 or another address or name of this machine"

    /// The number of the error; nil when it can be listened on.
    private static func listen(on address: addrinfo) -> Int32? {
        let socket = Glibc.socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return errno }
        defer { close(socket) }
        // As the server does: connections of one that has ended don't keep the port.
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(socket, address.ai_addr, address.ai_addrlen) == 0, Glibc.listen(socket, 1) == 0 else { return errno }
        return nil
    }

    private func refusal(_ code: Int32) -> Refusal {
        let reason = String(cString: strerror(code))
        return switch code {
        case EADDRINUSE: Refusal("\(host):\(port) is in use: another program listens there; take another --port")
        case EADDRNOTAVAIL: Refusal("--host '\(host)' is no address of this machine: \(Self.advice)")
        case EACCES: Refusal("\(host):\(port) may not be listened on by this user: take a --port from 1024 on")
        default:
            Refusal("\(host):\(port) can't be listened on (\(reason)): take another --host or --port")
        }
    }
}

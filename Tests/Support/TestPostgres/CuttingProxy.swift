import Foundation
import Synchronization
import Testing

/// A socket before a cluster's socket. It passes everything on, and cuts connections where it is told to.
package final class CuttingProxy: Sendable {
    /// The directory of its socket, to be named in place of the cluster's.
    package let directory: String
    private let listener: Int32
    private let orders = Mutex(Orders())

    private struct Orders {
        var needle: [UInt8] = []
        var left = 0
        var cuts = 0
        var connections = 0
    }

    /// Stands before the cluster whose socket is in a directory.
    ///
    /// - Parameter isSilent: takes connections and passes nothing on.
    package init(before cluster: String, isSilent: Bool = false) throws {
        let (directory, target) = (try socketDirectory("ledger-proxy"), "\(cluster)/.s.PGSQL.5432")
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        (self.directory, self.listener) = (directory, listener)
        let status = Self.withAddress("\(directory)/.s.PGSQL.5432") { bind(listener, $0, $1) }
        try #require(status == 0 && listen(listener, 64) == 0, "no socket in \(directory)")
        if isSilent { return }
        // The thread ends when the listener is closed.
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                self?.orders.withLock { $0.connections += 1 }
                Thread.detachNewThread { [weak self] in CuttingProxy.serve(client, target) { self?.isDue($0) ?? false }
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Cuts a connection whose client sends a text: after the server has got it and has answered, and before any byte
    /// of that answer has come back. So often, on whatever connections.
    ///
    /// - Parameter text: such as `COMMIT\0`, which a transaction ends with.
    package func cut(behind text: String, times: Int = 1) {
        orders.withLock { ($0.needle, $0.left) = (Array(text.utf8), times) }
    }

    /// How many connections were cut.
    package var cuts: Int { orders.withLock { $0.cuts } }

    /// How many connections were made.
    package var connections: Int { orders.withLock { $0.connections } }

    private func isDue(_ sent: ArraySlice<UInt8>) -> Bool {
        orders.withLock { orders in
            guard orders.left > 0, sent.contains(orders.needle) else { return false }
            orders.left -= 1
            orders.cuts += 1
            return true
        }
    }

    private static func serve(_ client: Int32, _ target: String, _ isDue: (ArraySlice<UInt8>) -> Bool) {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        defer {
            close(client)
            close(server)
        }
        guard withAddress(target, { connect(server, $0, $1) }) == 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            var waited = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            if poll(&waited, 2, -1) < 0 { continue }
            let isFromClient = waited[0].revents != 0
            let count = recv(isFromClient ? client : server, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            let cuts = isFromClient && isDue(buffer[..<count])
            guard sendAll(buffer[..<count], to: isFromClient ? server : client) else { return }
            if cuts {
                // The first byte of the answer comes when the work is done.
                _ = recv(server, &buffer, buffer.count, 0)
                return
            }
        }
    }

    private static func sendAll(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = bytes.baseAddress?.advanced(by: sent)
                let count = send(socket, rest, bytes.count - sent, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    static func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(100)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}

/// A new directory for a socket, whose path may have a hundred characters at most.
func socketDirectory(_ name: String) throws -> String {
    let path = "/tmp/\(name).XXXXXX".withCString { template in
        let copy = strdup(template)
        defer { free(copy) }
        return copy.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    return try #require(path, "no directory could be made in /tmp")
}

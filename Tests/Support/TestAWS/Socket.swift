import Glibc

/// A blocking TCP socket on this machine. It closes when it is dropped.
final class Socket: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A socket that listens on a free port of the loopback address.
    static func listening() -> (socket: Socket, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 128) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        precondition(isListening, "no port of the loopback address is free")
        return (Socket(descriptor), Int(UInt16(bigEndian: address.sin_port)))
    }

    /// A connection to a port of this machine; nil when nobody listens there.
    static func connected(to port: Int) -> Socket? {
        let socket = Socket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var address = loopback(port: port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return result == 0 ? socket.quick() : nil
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// The same socket, sending small packets at once.
    private func quick() -> Socket {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return self
    }

    /// The next connection; nil once the socket was shut.
    func accepted() -> Socket? {
        let connection = accept(descriptor, nil, nil)
        return connection < 0 ? nil : Socket(connection).quick()
    }

    /// Ends the connection, or the listening, for both sides.
    func shut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Sends all bytes; false when the other side is gone.
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Receives some bytes behind those that are there; false at the end.
    func receive(into bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }
}

/// One HTTP/1.1 message with its length stated, as it stands on the wire.
struct Message {
    let start: String
    let headers: [(name: String, value: String)]
    let body: [UInt8]

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }

    /// Takes the first message from the bytes, receiving what it lacks; nil when the other side ends before.
    static func read(_ socket: Socket, _ bytes: inout [UInt8]) -> Message? {
        let blank = Array("\r\n\r\n".utf8)
        var searched = 0
        while true {
            if let end = (searched..<max(searched, bytes.count - 3)).first(where: {
                bytes[$0] == 13 && bytes[$0...].starts(with: blank)
            }) {
                return read(socket, &bytes, head: end)
            }
            searched = max(0, bytes.count - 3)
            guard socket.receive(into: &bytes) else { return nil }
        }
    }

    private static func read(_ socket: Socket, _ bytes: inout [UInt8], head end: Int) -> Message? {
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (String(line[..<colon]), String(line[line.index(after: colon)...].drop { $0 == " " }))
        }
        let stated = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) }
        let isChunked = headers.contains { $0.name.lowercased() == "transfer-encoding" }
        bytes.removeFirst(end + 4)
        var body: [UInt8] = []
        if isChunked {
            while let size = chunk(socket, &bytes), !size.isEmpty { body += size }
        } else {
            let length = stated ?? 0
            while bytes.count < length { guard socket.receive(into: &bytes) else { return nil } }
            body = Array(bytes[..<length])
            bytes.removeFirst(length)
        }
        return Message(start: lines.first.map(String.init) ?? "", headers: headers, body: body)
    }

    /// The next chunk of a body; empty for the last one.
    private static func chunk(_ socket: Socket, _ bytes: inout [UInt8]) -> [UInt8]? {
        while true {
            if let end = bytes.firstIndex(of: 10), let size = Int(hexadecimal(bytes[..<end]), radix: 16) {
                while bytes.count < end + 1 + size + 2 { guard socket.receive(into: &bytes) else { return nil } }
                let chunk = Array(bytes[(end + 1)..<(end + 1 + size)])
                bytes.removeFirst(end + 1 + size + 2)
                return chunk
            }
            guard socket.receive(into: &bytes) else { return nil }
        }
    }

    private static func hexadecimal(_ line: ArraySlice<UInt8>) -> Substring {
        String(decoding: line, as: UTF8.self).prefix { $0.isHexDigit }
    }
}

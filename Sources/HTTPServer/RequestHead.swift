import API
import EventStore
import Glibc
import NIOCore
import NIOHTTP1
import Synchronization

/// What the transport asks of a request before anybody else sees it.
extension HTTPRequestHead {
    /// Refuses a head that exceeds a limit, or that two readers could understand in two ways.
    func check(_ limits: TransportLimits) throws(Problem) {
        if uri.utf8.count > limits.targetBytes { throw .targetTooLong }
        guard uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), uri.hasPrefix("/") || isSpecial else {
            throw .malformed("The request target is not one that this server has")
        }
        guard version.major == 1 else { throw .malformed("This server speaks HTTP/1.1") }
        var bytes = 0
        var counts = (host: 0, length: 0, coding: 0)
        for (name, value) in headers {
            bytes += name.utf8.count + value.utf8.count + 4
            guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
                throw .malformed("A header holds control characters")
            }
            switch name.utf8.count {
            case 4 where name.lowercased() == "host":
                counts.host += 1
                let host = value.withoutOuterSpace
                guard host.isAuthority, authority.map({ $0.lowercased() == host.lowercased() }) ?? true else {
                    throw .malformed("Host is the name of this server, with its port")
                }
            case 14 where name.lowercased() == "content-length": counts.length += 1
            case 17 where name.lowercased() == "transfer-encoding": counts.coding += 1
            default: break
            }
        }
        if bytes > limits.headerBytes || headers.count > limits.headerCount {
            throw Problem(.headersTooLarge, "The header fields are too many or too large")
        }
        guard counts.host <= 1, counts.host == 1 || version.minor == 0 else {
            throw .malformed("A request names one Host")
        }
        try checkFraming(counts.length, counts.coding, limits)
    }

    /// A body with two lengths, or with a coding that we don't read, could smuggle a second request past a proxy.
    private func checkFraming(_ lengths: Int, _ codings: Int, _ limits: TransportLimits) throws(Problem) {
        guard lengths + codings <= 1 else { throw .malformed("A body has one length: Content-Length or chunked") }
        if codings == 1, version.minor == 0 || headers.first(name: "Transfer-Encoding")?.lowercased() != "chunked" {
            throw .malformed("The only transfer coding is chunked, in HTTP/1.1")
        }
        if let length = headers.first(name: "Content-Length") {
            guard length.utf8.allSatisfy({ $0.isDigit }), let length = Int(length) else {
                throw .malformed("Content-Length is no number")
            }
            if length > limits.bodyBytes { throw .bodyTooLarge }
        }
    }

    /// `OPTIONS *`, and the absolute form that a request to a proxy has.
    private var isSpecial: Bool { (uri == "*" && method == .OPTIONS) || uri.hasPrefix("http://") }

    /// The authority of the absolute form.
    private var authority: Substring? {
        uri.hasPrefix("http://") ? uri.dropFirst(7).prefix { $0 != "/" && $0 != "?" } : nil
    }

    /// How the bytes after the head go on.
    func framing(_ limits: TransportLimits) -> Connection.Framing {
        if headers.contains(name: "Transfer-Encoding") {
            return .chunked(ChunkReader(overheadBytes: 4 * limits.bodyBytes))
        }
        let length = headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
        return length > 0 ? .length(length) : .none
    }

    /// The path and the query, as they were sent.
    var target: (path: String, query: String) {
        var rest = uri[...]
        if uri.hasPrefix("http://") {
            rest = rest.dropFirst(7)
            rest = rest[(rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex)...]
        }
        let path = rest.prefix { $0 != "?" }
        let query = path.endIndex < rest.endIndex ? rest[rest.index(after: path.endIndex)...] : ""
        return (path.isEmpty ? "/" : String(path), String(query))
    }

    /// Whether another request can follow on the connection. The decoder stops after a request to upgrade.
    var keepsConnection: Bool {
        isKeepAlive && version.minor >= 1 && method != .CONNECT && !headers.contains(name: "Upgrade")
    }
}

extension String {
    /// Without the spaces and tabs around it, which are no part of a field's value (RFC 9110, 5.5).
    fileprivate var withoutOuterSpace: String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return String(self[first...last])
    }

    /// Whether it is the name or address of a host, with or without a port (RFC 3986, 3.2.2): `Host` is nothing else.
    fileprivate var isAuthority: Bool {
        var rest = utf8[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = rest[..<end].dropFirst()
            guard !address.isEmpty, address.allSatisfy({ $0.isHostByte || $0 == UInt8(ascii: ":") }) else {
                return false
            }
            rest = rest[end...].dropFirst()
        } else {
            let name = rest.prefix { $0 != UInt8(ascii: ":") }
            guard !name.isEmpty, name.allSatisfy(\.isHostByte) else { return false }
            rest = rest[name.endIndex...]
        }
        if rest.isEmpty { return true }
        return rest.first == UInt8(ascii: ":") && rest.dropFirst().allSatisfy { $0.isDigit }
    }
}

extension UInt8 {
    /// Unreserved, a sub-delimiter, or a percent sign.
    fileprivate var isHostByte: Bool {
        switch self {
        case _ where isLetter || isDigit: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            0x24...0x2C, UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        default: false
        }
    }
}

extension Problem {
    /// Bytes that are no request that this server reads.
    static func malformed(_ message: String) -> Problem { .invalid("request", .validationFailed, message) }

    static var targetTooLong: Problem { Problem(.uriTooLong, "The request target is too long") }
}

/// The date of an answer, written once a second.
enum AnswerDate {
    private static let cache = Mutex<(second: Int, text: String)>((-1, ""))

    static var now: String {
        let second = time(nil)
        return cache.withLock { cache in
            if cache.second != second { cache = (second, Timestamp(milliseconds: Int64(second) * 1000).httpDate) }
            return cache.text
        }
    }
}

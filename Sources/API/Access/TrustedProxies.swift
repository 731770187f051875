package import EventStore

/// The proxies whose word is believed for who calls (`Forwarded`, `X-Forwarded-For`). Nobody else's is.
package struct TrustedProxies: Equatable, Sendable {
    private let networks: [IPNetwork]

    /// No proxy: the caller is whoever holds the connection.
    package static let none = TrustedProxies(networks: [])

    private init(networks: [IPNetwork]) { self.networks = networks }

    /// - Parameter texts: addresses and networks, such as `127.0.0.1` and `10.0.0.0/8`.
    /// - Throws: `invalid` for anything else.
    package init(_ texts: [String]) throws(EventStoreError) {
        var networks: [IPNetwork] = []
        for text in texts {
            guard let network = IPNetwork(text) else {
                throw EventStoreError(
                    .invalid,
                    message: "a trusted proxy is an address or a network, such as 127.0.0.1, 10.0.0.0/8 or "
                        + "2001:db8::/48, with no bits after its prefix")
            }
            networks.append(network)
        }
        self.init(networks: networks)
    }

    /// Who sends a request: the right-most hop that no trusted proxy is.
    ///
    /// - Throws: a problem when a trusted proxy passes on what can't be read, or two headers that do not agree.
    func source(of request: APIRequest) throws(Problem) -> RequestSource {
        let peer = RequestSource(request.remoteAddress)
        guard !networks.isEmpty, let address = peer.address, isTrusted(address) else { return peer }
        let forwarded = try request.list(of: "Forwarded").map { text throws(Problem) in
            try caller(from: address, try ForwardedHops.standard(text))
        }
        let listed = try request.list(of: "X-Forwarded-For").map { text throws(Problem) in
            try caller(from: address, ForwardedHops.list(text))
        }
        if let forwarded, let listed, forwarded != listed {
            throw .invalid(
                "Forwarded", .validationFailed,
                "Forwarded and X-Forwarded-For name different callers: have the proxy set one and remove the other")
        }
        return (forwarded ?? listed).map { RequestSource($0) } ?? peer
    }

    /// Whether an address is one of theirs.
    package func isTrusted(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    /// Goes from hop to hop, away from this server, for as long as a trusted proxy names the next one.
    private func caller(from peer: IPAddress, _ hops: [ForwardedHops.Hop]) throws(Problem) -> IPAddress {
        var caller = peer
        for hop in hops.reversed() {
            guard isTrusted(caller) else { break }
            switch hop {
            case .address(let address): caller = address
            // The proxy keeps to itself who it was: what stands before that is nobody's word that we believe.
            case .hidden: return caller
            case .unreadable(let header):
                throw .invalid(header, .validationFailed, "\(header) is not a list of addresses that can be read")
            }
        }
        return caller
    }
}

/// Where a request comes from, as far as that is known.
struct RequestSource: Equatable {
    /// Nil where the transport knows no address, as behind API Gateway.
    let address: IPAddress?
    private let text: String

    init(_ text: String) { (address, self.text) = (IPAddress(text), text) }

    init(_ address: IPAddress) { (self.address, text) = (address, "") }

    /// What its requests are counted under: one customer of a network is one source.
    var counted: String { address.map { $0.customer.description } ?? text }
}

extension RequestSource: CustomStringConvertible {
    var description: String { address?.description ?? text }
}

/// Reads the hops that proxies have noted, the farthest first.
enum ForwardedHops {
    /// Whom a proxy has had a request from.
    enum Hop: Equatable {
        case address(IPAddress)
        /// The proxy does not say.
        case hidden
        /// No address, found in this header.
        case unreadable(String)
    }

    /// `X-Forwarded-For`: addresses with commas between them, maybe with ports. What can't be read is an error only
    /// where a trusted proxy has written it: before that anybody may have.
    static func list(_ text: String) -> [Hop] {
        text.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }.map { part in
            if let address = IPAddress(part) { return .address(address) }
            return node(part, in: "X-Forwarded-For")
        }
    }

    /// `Forwarded` (RFC 7239).
    ///
    /// - Throws: a problem for what its grammar does not have.
    static func standard(_ text: String) throws(Problem) -> [Hop] {
        var reader = ForwardedReader(text)
        guard let elements = reader.elements() else {
            throw .invalid("Forwarded", .validationFailed, "Forwarded is not written as RFC 7239 says")
        }
        return elements.map { $0.map { node($0[...], in: "Forwarded") } ?? .hidden }
    }

    /// An address with or without a port, `unknown`, or a made-up name that begins with `_`.
    private static func node(_ text: Substring, in header: String) -> Hop {
        let (name, port) = split(text)
        if let port, !isPort(port) { return .unreadable(header) }
        if name.hasPrefix("["), name.hasSuffix("]") {
            guard let address = IPAddress(name.dropFirst().dropLast()), name.contains(":") else {
                return .unreadable(header)
            }
            return .address(address)
        }
        if !name.contains(":"), let address = IPAddress(name) { return .address(address) }
        if String(name).hasSameLetters(as: "unknown") || isMadeUp(name) { return .hidden }
        return .unreadable(header)
    }

    /// The name and what stands after the colon that follows it.
    private static func split(_ text: Substring) -> (name: Substring, port: Substring?) {
        let bracket = text.hasPrefix("[") ? text.firstIndex(of: "]") : nil
        let end = bracket.map { text.index(after: $0) } ?? text.firstIndex(of: ":")
        guard let end, end < text.endIndex else { return (text, nil) }
        // What follows a bracket is a colon, or nothing that is read as a port.
        return text[end] == ":" ? (text[..<end], text[text.index(after: end)...]) : (text, "")
    }

    private static func isPort(_ text: Substring) -> Bool {
        isMadeUp(text) || (1...5).contains(text.utf8.count) && text.utf8.allSatisfy { $0.isDigit }
    }

    private static func isMadeUp(_ text: Substring) -> Bool {
        text.utf8.count > 1 && text.hasPrefix("_")
            && text.utf8.dropFirst().allSatisfy {
                $0.isDigit || $0.isLetter || [0x2D, 0x2E, 0x5F].contains($0)
            }
    }
}

/// Reads `Forwarded` byte by byte: elements with commas between them, each of pairs with semicolons between them.
private struct ForwardedReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// What each element says of `for`, nil where it says nothing; nil for what is not written like that.
    mutating func elements() -> [String?]? {
        var elements: [String?] = []
        repeat {
            skipSpaces()
            guard let pairs = pairs() else { return nil }
            // A list may have empty elements.
            if !pairs.isEmpty { elements.append(pairs["for"]) }
            skipSpaces()
        } while take(0x2C)
        return place == bytes.count ? elements : nil
    }

    /// The pairs of an element by their names in lower case, each of which may stand once.
    private mutating func pairs() -> [String: String]? {
        var pairs: [String: String] = [:]
        repeat {
            guard let name = token()?.lowercased() else { continue }
            guard take(0x3D), let value = token() ?? quoted(), pairs.updateValue(value, forKey: name) == nil else {
                return nil
            }
        } while take(0x3B)
        return pairs
    }

    private mutating func token() -> String? {
        let rest = bytes[place...].prefix { byte in
            byte.isDigit || byte.isLetter
                || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
        place = rest.endIndex
        return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
    }

    private mutating func quoted() -> String? {
        guard take(0x22) else { return nil }
        var text: [UInt8] = []
        while place < bytes.count {
            var byte = bytes[place]
            place += 1
            if byte == 0x22 { return String(decoding: text, as: UTF8.self) }
            if byte == 0x5C {
                guard place < bytes.count else { return nil }
                byte = bytes[place]
                place += 1
            }
            text.append(byte)
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func skipSpaces() {
        while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
    }
}

extension Substring {
    /// The text without the spaces and tabs around it.
    fileprivate var trimmed: Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var text = drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }
}

extension APIRequest {
    /// All values of a header whose value is a list, as one list; nil where there is none.
    ///
    /// - Throws: a problem when a value holds control characters.
    fileprivate func list(of name: StaticString) throws(Problem) -> String? {
        let values = headers.filter { $0.name.hasSameLetters(as: name) }.map(\.value)
        guard !values.isEmpty else { return nil }
        let joined = values.joined(separator: ",")
        guard joined.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
            throw .invalid(name.description, .validationFailed, "Header holds control characters")
        }
        return joined
    }
}

import EventStore

/// Why a ledger without API keys does not serve a request that comes from a loopback address.
///
/// Such a ledger takes whoever calls for its owner. So it serves programs of this machine and pages of its own alone. A
/// proxy on this machine, and a browser that runs a page of somebody else, have a loopback address as well.
enum RefusalWithoutKeys: Equatable {
    /// A proxy says that it passes the request on.
    case forwarded
    /// No key can be right where there is none.
    case credential
    /// A web page of another origin sends it, or one under another name that was bound to a loopback address.
    case otherOrigin

    var detail: String {
        let remedy = "make one with `ledger keys create`, and send it as X-API-Key"
        return switch self {
        case .forwarded:
            "The request came through a proxy, and a ledger without API keys serves this machine alone: \(remedy)"
        case .credential: "This ledger has no API keys, so none is right: leave it out, or \(remedy)"
        case .otherOrigin: "A web page of another origin needs an API key: \(remedy)"
        }
    }
}

extension APIRequest {
    /// Why a ledger without keys does not serve this request; nil when it does.
    ///
    /// - Throws: a problem for a header that was sent twice.
    var refusalWithoutKeys: RefusalWithoutKeys? {
        get throws(Problem) {
            if headers.contains(where: { Self.isOfProxy($0.name) }) { return .forwarded }
            if headers.contains(where: {
                $0.name.hasSameLetters(as: "X-API-Key") || $0.name.hasSameLetters(as: "Authorization")
            }) {
                return .credential
            }
            return try isOfOwnOrigin ? nil : .otherOrigin
        }
    }

    /// Whether no browser says that somebody else's page sends the request.
    private var isOfOwnOrigin: Bool {
        get throws(Problem) {
            var own: Authority?
            // Without a Host it is a program of HTTP/1.0: browsers send one.
            if let host = try header("Host") {
                own = Authority(host)
                guard let own, own.isOfThisMachine else { return false }
            }
            let origin = try header("Origin")
            if let origin {
                // The ledger itself speaks plain HTTP.
                guard let own, origin.hasPrefix("http://"), Authority(origin.dropFirst(7)) == own else { return false }
            }
            switch try header("Sec-Fetch-Site") {
            case nil, "none", "same-origin": return true
            // Another port of this machine is the same site: its origin decides, and without one it is foreign.
            case "same-site": return origin != nil
            default: return false
            }
        }
    }

    /// Whether a header says that the request was passed on.
    private static func isOfProxy(_ name: String) -> Bool {
        switch name.utf8.first.map({ $0 | 0x20 }) {
        // `X-Forwarded` itself and all that begins with it.
        case UInt8(ascii: "x") where String(name.prefix(11)).hasSameLetters(as: "X-Forwarded"): return true
        case UInt8(ascii: "x"), UInt8(ascii: "f"), UInt8(ascii: "v"), UInt8(ascii: "t"), UInt8(ascii: "c"),
            UInt8(ascii: "p"):
            return proxyHeaders.contains { name.hasSameLetters(as: $0) }
        default: return false
        }
    }

    private static let proxyHeaders: [StaticString] = [
        "Forwarded", "Via", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Original-Forwarded-For",
        "X-Original-Host", "X-Original-URL", "X-Envoy-External-Address", "X-Envoy-Internal", "X-ProxyUser-IP",
        "X-Remote-IP", "X-Remote-Addr", "X-Azure-ClientIP", "X-Appengine-User-IP", "True-Client-IP", "Client-IP",
        "CF-Connecting-IP", "CF-Ray", "CDN-Loop", "Fastly-Client-IP", "Fly-Client-IP", "Proxy-Authorization",
        "Proxy-Connection",
    ]
}

/// `HOST` or `HOST:PORT`, as a Host field and an origin have it, taken apart strictly.
struct Authority: Equatable {
    /// A name in lower case; nil where there is an address.
    private let name: String?
    private let address: IPAddress?
    /// 80 where none is named.
    private let port: Int

    /// Nil for what has a user, a path or a port that is none, or is neither a name nor an address.
    init?(_ text: some StringProtocol) {
        var host = text[...]
        var rest = text[text.endIndex...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            (host, rest) = (text[text.index(after: text.startIndex)..<end], text[text.index(after: end)...])
            guard host.contains(":"), let address = IPAddress(host) else { return nil }
            (name, self.address) = (nil, address)
        } else {
            if let colon = host.firstIndex(of: ":") { (host, rest) = (text[..<colon], text[colon...]) }
            let isName = host.utf8.allSatisfy {
                $0.isDigit || $0.isLetter || $0 == 0x2D || $0 == 0x2E
            }
            guard isName, !host.isEmpty else { return nil }
            address = IPAddress(host)
            name = address == nil ? host.lowercased() : nil
        }
        guard !rest.isEmpty else {
            port = 80
            return
        }
        let digits = rest.dropFirst()
        guard rest.hasPrefix(":"), (1...5).contains(digits.utf8.count), !digits.hasPrefix("0"),
            digits.utf8.allSatisfy({ $0.isDigit }), let port = Int(digits), port <= 65_535
        else { return nil }
        self.port = port
    }

    /// Whether it names this machine, whatever the port.
    var isOfThisMachine: Bool { address?.isLoopback ?? (name == "localhost") }
}

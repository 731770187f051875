import Glibc

/// Which addresses are this machine's own, as a URL names them.
package enum Loopback {
    /// Whether the host of a URL is this machine. No proxy leads there: its `localhost` is another machine.
    package static func isHost(of url: String) -> Bool {
        guard let start = url.firstRange(of: "://") else { return false }
        var authority = url[start.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.first == "[" { return isLoopback6(String(authority.dropFirst().prefix { $0 != "]" })) }
        let host = authority.prefix { $0 != ":" }.lowercased()
        if host == "localhost" || host.hasSuffix(".localhost") { return true }
        // 127.1 and 2130706433 are ways to write 127.0.0.1, which libcurl knows as well.
        var address = in_addr()
        return inet_aton(host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    private static func isLoopback6(_ text: String) -> Bool {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return false }
        let bytes = withUnsafeBytes(of: &address, Array.init)
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? bytes[12] == 127 : bytes.prefix(15).allSatisfy { $0 == 0 } && bytes[15] == 1
    }
}

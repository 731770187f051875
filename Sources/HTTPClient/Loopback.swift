import CCurl

/// Which addresses are this machine's own, as a URL names them.
enum Loopback {
    /// Whether the host of a URL is this machine. No proxy leads there: its `localhost` is another machine.
    static func isHost(of url: String) -> Bool {
        guard let host = host(of: url)?.lowercased() else { return false }
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        if host.hasPrefix("[::ffff:127.") { return true }
        return host.hasPrefix("127.") && host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
    }

    /// The host as libcurl reads it, which writes 127.1 and 2130706433 as 127.0.0.1; nil for what is no URL.
    private static func host(of url: String) -> String? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK,
            curl_url_get(handle, CURLUPART_HOST, &text, 0) == CURLUE_OK, let text
        else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}

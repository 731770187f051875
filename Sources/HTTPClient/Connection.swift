import CCurl
import Synchronization

/// One easy handle of libcurl. It keeps its connections and TLS sessions from one request to the next.
///
/// Sendable without the compiler's proof: a handle is used by one request at a time, on the queue of its lane.
final class Connection: @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer
    private let settings: ConnectionPool.Settings

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ settings: ConnectionPool.Settings) {
        guard Self.isReady, let handle = curl_easy_init() else { preconditionFailure("libcurl has no memory to begin") }
        (self.handle, self.settings) = (handle, settings)
    }

    deinit { curl_easy_cleanup(handle) }

    /// What libcurl's callbacks write into while a request runs.
    private final class Reception {
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        let maximumBytes: Int
        let interruption: Interruption

        init(_ maximumBytes: Int, _ interruption: Interruption) {
            (self.maximumBytes, self.interruption) = (maximumBytes, interruption)
        }
    }

    /// Sends a request and waits for its answer. It blocks the calling thread.
    func perform(_ request: HTTPRequest, _ interruption: Interruption) -> Result<HTTPResponse, TransportFailure> {
        // A reset keeps connections, sessions and the cache of names.
        curl_easy_reset(handle)
        let reception = Reception(request.maximumBytes, interruption)
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for header in request.headers { list = curl_slist_append(list, "\(header.name): \(header.value)") }
        var route: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(route) }
        if let target = settings.route { route = curl_slist_append(route, "::\(target)") }
        return request.body.withUnsafeBytes { body in
            withExtendedLifetime(reception) {
                let refused =
                    limit(request) || describe(request, body, list, route) || sign(request.signature)
                    || receive(into: reception)
                guard !refused else { return .failure(.unreachable("libcurl does not take the request's settings")) }
                let code = curl_easy_perform(handle)
                guard code == CURLE_OK else { return .failure(failure(code)) }
                return .success(
                    HTTPResponse(
                        status: ledger_curl_status(handle), headers: reception.headers, body: reception.body))
            }
        }
    }

    private func failure(_ code: CURLcode) -> TransportFailure {
        let reason = String(cString: curl_easy_strerror(code))
        return switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_URL_MALFORMAT,
            CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION,
            CURLE_SSL_CACERT_BADFILE:
            .unreachable(reason)
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_ABORTED_BY_CALLBACK: .cancelled
        default: .broken(reason)
        }
    }

    // Each of these is true when libcurl refused a setting.

    private func limit(_ request: HTTPRequest) -> Bool {
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectMilliseconds)
            || set(CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds) || set(CURLOPT_NOSIGNAL, 1)
            || set(CURLOPT_TCP_KEEPALIVE, 1) || set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
            || set(CURLOPT_PROTOCOLS_STR, "http,https") || (avoidsProxy(request) && set(CURLOPT_NOPROXY, "*"))
            || (settings.certificates.map { set(CURLOPT_CAINFO, $0) } ?? false)
    }

    private func avoidsProxy(_ request: HTTPRequest) -> Bool {
        request.avoidsProxy || Loopback.isHost(of: request.url)
    }

    private func describe(
        _ request: HTTPRequest, _ body: UnsafeRawBufferPointer, _ headers: UnsafeMutablePointer<curl_slist>?,
        _ route: UnsafeMutablePointer<curl_slist>?
    ) -> Bool {
        let hasBody = request.method != .get
        return set(CURLOPT_URL, request.url) || set(CURLOPT_USERAGENT, "appointment-ledger")
            || (request.takesGzip && set(CURLOPT_ACCEPT_ENCODING, "gzip"))
            || (hasBody && setBody(body))
            || (request.method == .put && set(CURLOPT_CUSTOMREQUEST, "PUT"))
            || (headers != nil && ledger_curl_set_list(handle, CURLOPT_HTTPHEADER, headers) != CURLE_OK)
            || (route != nil && ledger_curl_set_list(handle, CURLOPT_CONNECT_TO, route) != CURLE_OK)
    }

    private func setBody(_ body: UnsafeRawBufferPointer) -> Bool {
        // Without an address libcurl would ask for the body through a callback.
        guard let start = body.baseAddress, !body.isEmpty else {
            return set(CURLOPT_POSTFIELDSIZE, 0) || set(CURLOPT_COPYPOSTFIELDS, "")
        }
        return set(CURLOPT_POSTFIELDSIZE, body.count)
            || ledger_curl_set_pointer(handle, CURLOPT_POSTFIELDS, start) != CURLE_OK
    }

    private func sign(_ signature: HTTPRequest.Signature?) -> Bool {
        guard let signature else { return false }
        return set(CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):\(signature.name)")
            || set(CURLOPT_USERNAME, signature.accessKey)
            || set(CURLOPT_PASSWORD, signature.secretKey)
    }

    private func receive(into reception: Reception) -> Bool {
        let context = Unmanaged.passUnretained(reception).toOpaque()
        let body: ledger_curl_sink = { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let reception = Unmanaged<Reception>.fromOpaque(context).takeUnretainedValue()
            // Fewer bytes than offered tell libcurl to stop.
            guard reception.body.count + size * count <= reception.maximumBytes else { return 0 }
            reception.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }
        let header: ledger_curl_sink = { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
            let reception = Unmanaged<Reception>.fromOpaque(context).takeUnretainedValue()
            if let colon = line.firstIndex(of: ":") {
                reception.headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmed
            } else if line.hasPrefix("HTTP/") {
                // The head of an interim answer, such as 100, is none of the answer's.
                reception.headers.removeAll()
            }
            return size * count
        }
        let watch: ledger_curl_watch = { context, _, _, _, _ in
            guard let context else { return 1 }
            return Unmanaged<Reception>.fromOpaque(context).takeUnretainedValue().interruption.isRequested ? 1 : 0
        }
        return ledger_curl_set_sink(handle, CURLOPT_WRITEFUNCTION, body) != CURLE_OK
            || ledger_curl_set_pointer(handle, CURLOPT_WRITEDATA, context) != CURLE_OK
            || ledger_curl_set_sink(handle, CURLOPT_HEADERFUNCTION, header) != CURLE_OK
            || ledger_curl_set_pointer(handle, CURLOPT_HEADERDATA, context) != CURLE_OK
            || ledger_curl_set_watch(handle, watch) != CURLE_OK
            || ledger_curl_set_pointer(handle, CURLOPT_XFERINFODATA, context) != CURLE_OK
            || set(CURLOPT_NOPROGRESS, 0)
    }

    private func set(_ option: CURLoption, _ value: Int) -> Bool {
        ledger_curl_set_long(handle, option, value) != CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: String) -> Bool {
        ledger_curl_set_text(handle, option, value) != CURLE_OK
    }
}

/// A caller's wish that a request ends early; libcurl looks at it about once a second.
final class Interruption: Sendable {
    private let flag = Atomic<Bool>(false)

    var isRequested: Bool { flag.load(ordering: .relaxed) }

    func request() { flag.store(true, ordering: .relaxed) }
}

extension StringProtocol {
    /// The text without spaces, tabs and line ends around it.
    package var trimmed: String {
        let space: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !space.contains($0) }),
            let last = bytes.lastIndex(where: { !space.contains($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}

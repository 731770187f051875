/// A request as libcurl is to send it.
package struct HTTPRequest: Sendable {
    /// What is asked for.
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
    }

    /// What a request is signed with: AWS Signature Version 4, done by libcurl.
    package struct Signature: Sendable {
        package let accessKey: String
        package let secretKey: String
        package let region: String
        /// The name of the API in the credential scope, such as `dynamodb`.
        package let name: String

        package init(accessKey: String, secretKey: String, region: String, name: String) {
            (self.accessKey, self.secretKey, self.region, self.name) = (accessKey, secretKey, region, name)
        }
    }

    package let method: Method
    package let url: String
    /// All of these are signed. Names differ in more than case, and none begins with another's name: libcurl 7.88
    /// would sort such names wrongly.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    package var signature: Signature?
    package var connectMilliseconds: Int
    /// How long the whole exchange may take; 0 for as long as it takes.
    package var timeoutMilliseconds: Int
    /// The most bytes of an answer's body; a larger one ends the exchange as broken. An invocation of Lambda has up to
    /// 6 MB, and a page of DynamoDB 1.
    package var maximumBytes: Int
    /// Whether an answer may be compressed with gzip. What is counted is what it was before that.
    package var takesGzip: Bool
    /// Set for the addresses of this machine's host, which no proxy knows. Loopback addresses need it not.
    package var avoidsProxy: Bool

    package init(
        method: Method, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        connectMilliseconds: Int = 3000, timeoutMilliseconds: Int = 10_000, avoidsProxy: Bool = false,
        maximumBytes: Int = 8 << 20, takesGzip: Bool = false
    ) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
        (self.connectMilliseconds, self.timeoutMilliseconds) = (connectMilliseconds, timeoutMilliseconds)
        self.avoidsProxy = avoidsProxy
        (self.maximumBytes, self.takesGzip) = (maximumBytes, takesGzip)
    }
}

/// What came back, whatever its status.
package struct HTTPResponse: Sendable {
    package let status: Int
    /// By their names in lower case.
    package let headers: [String: String]
    package let body: [UInt8]

    package var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why no answer came back.
package enum TransportFailure: Error, Equatable {
    /// Nothing was sent: the address did not resolve, or nobody listens there.
    case unreachable(String)
    /// The time was up; the request may have been carried out.
    case timedOut
    /// The connection broke; the request may have been carried out.
    case broken(String)
    /// The caller's task was cancelled; the request may have been carried out.
    case cancelled
}

extension TransportFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let reason): "the address can't be reached: \(reason)"
        case .timedOut: "no answer came in time"
        case .broken(let reason): "the connection broke: \(reason)"
        case .cancelled: "the call was cancelled"
        }
    }
}

/// A request as libcurl is to send it.
struct HTTPRequest: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
    }

    /// What a request is signed with: AWS Signature Version 4, done by libcurl.
    struct Signature: Sendable {
        let credentials: Credentials
        let region: String
        /// The name of the API in the credential scope, such as `dynamodb`.
        let name: String
    }

    let method: Method
    let url: String
    /// All of these are signed. Names differ in more than case, and none begins with another's name: libcurl 7.88
    /// would sort such names wrongly.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var signature: Signature?
    var connectMilliseconds = 3000
    var timeoutMilliseconds = 10_000
    /// Set for the addresses of this machine and its host, which no proxy knows.
    var avoidsProxy = false
}

/// What came back, whatever its status.
struct HTTPResponse: Sendable {
    let status: Int
    /// By their names in lower case.
    let headers: [String: String]
    let body: [UInt8]

    var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why no answer came back.
enum TransportFailure: Error, Equatable {
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
    var description: String {
        switch self {
        case .unreachable(let reason): "the address can't be reached: \(reason)"
        case .timedOut: "no answer came in time"
        case .broken(let reason): "the connection broke: \(reason)"
        case .cancelled: "the call was cancelled"
        }
    }
}

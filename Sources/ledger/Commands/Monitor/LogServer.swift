import HTTPClient
import LogService

/// A log on a server: ours, or any other that serves C2SP tlog-tiles, or files.
struct LogServer: LogSource {
    private let prefix: String
    private let headers: [(name: String, value: String)]
    private let pool: ConnectionPool

    /// How long an answer may take. A bundle of entries has up to 16 MiB.
    private static let timeoutMilliseconds = 60_000

    /// - Parameter prefix: the URL below which the log's resources are, such as `https://ledger.example.org/ledger`.
    /// - Parameter apiKey: sent as X-API-Key with each request.
    init(_ prefix: HTTPTarget.Address, apiKey: String?) {
        self.prefix = String(prefix.description.reversed().drop { $0 == "/" }.reversed())
        headers = apiKey.map { [("X-API-Key", $0)] } ?? []
        pool = ConnectionPool(size: 1)
    }

    func read(_ resource: String, maximumBytes: Int) async throws(NoAnswer) -> [UInt8]? {
        let request = HTTPRequest(
            method: .get, url: "\(prefix)/\(resource)", headers: headers,
            timeoutMilliseconds: Self.timeoutMilliseconds, maximumBytes: maximumBytes, takesGzip: true)
        let response: HTTPResponse
        do throws(TransportFailure) {
            response = try await pool.send(request)
        } catch {
            throw NoAnswer("\(resource): \(error)")
        }
        switch response.status {
        case 200: return response.body
        // A bucket that may not be listed says 403 for what it does not have, but a server says so without a key.
        case 404, 410: return nil
        case 401, 403: throw NoAnswer("\(resource): the server answers \(response.status): does it want an API key?")
        default: throw NoAnswer("\(resource): the server answers \(response.status)")
        }
    }
}

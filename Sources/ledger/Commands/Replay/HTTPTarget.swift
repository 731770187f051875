import EventStore
import Glibc
import HTTPClient

/// Posts JSON to one URL, one request after the other.
struct HTTPTarget: Sendable {
    private let address: Address
    private let run: Identifier
    private let pool: ConnectionPool

    private static let attempts = 3

    /// A URL, `http://host/path` or `https://host:port/path`.
    struct Address: Equatable, CustomStringConvertible {
        let description: String

        /// Nil for anything but plain ASCII without white space and without a user.
        init?(_ text: String) {
            guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let start = text.firstRange(of: "://") else {
                return nil
            }
            let authority = text[start.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            guard ["http", "https"].contains(text[..<start.lowerBound]), let rest = Self.behindHost(of: authority)
            else {
                return nil
            }
            if !rest.isEmpty {
                guard rest.first == ":", let number = Int(rest.dropFirst()), (1...65_535).contains(number) else {
                    return nil
                }
            }
            description = text
        }

        /// What follows the name or address, which an IPv6 address has in brackets; nil for what is neither.
        private static func behindHost(of authority: Substring) -> Substring? {
            guard authority.first == "[" else {
                let host = authority.prefix { $0 != ":" }
                return host.isEmpty || host.contains { "@[]".contains($0) } ? nil : authority[host.endIndex...]
            }
            guard let end = authority.firstIndex(of: "]") else { return nil }
            var address = in6_addr()
            let text = String(authority[..<end].dropFirst())
            return inet_pton(AF_INET6, text, &address) == 1 ? authority[authority.index(after: end)...] : nil
        }
    }

    /// - Parameter certificates: a file of certificates to trust instead of the system's.
    init(_ address: Address, run: Identifier, certificates: String? = nil) {
        (self.address, self.run) = (address, run)
        pool = ConnectionPool(ConnectionPool.Settings(certificates: certificates), size: 1)
    }

    /// Posts a body; tries again after a while when the answer is no 2xx.
    ///
    /// - Parameter name: what it is, for the error.
    /// - Throws: a refusal when every attempt failed: nothing after it was sent.
    func post(_ body: [UInt8], named name: String) async throws {
        let request = HTTPRequest(
            method: .post, url: address.description,
            headers: [("Content-Type", "application/json"), ("X-Replay-Id", "\(run)")], body: body,
            timeoutMilliseconds: 30_000)
        var problem = ""
        for attempt in 0..<Self.attempts {
            if attempt > 0 { try await Task.sleep(for: .seconds(1 << attempt)) }
            do throws(TransportFailure) {
                let response = try await pool.send(request)
                if response.isSuccess { return }
                problem = "it answered \(response.status)"
            } catch {
                problem = "\(error)"
            }
        }
        throw Refusal("\(name) could not be sent to \(address): \(problem); what stands before it was sent")
    }
}

import EventStore
import HTTPClient

/// Credentials from the endpoint of a container (ECS, EKS) or of an instance (EC2, version 2 only).
struct MetadataCredentials: Sendable {
    let environment: [String: String]
    let pool: ConnectionPool
    let clock: AWSClock

    /// - Returns: nil outside a container.
    func fromContainer() async throws(CredentialFailure) -> Credentials? {
        let url: String
        if let path = environment.filled("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            url = "http://169.254.170.2\(path)"
        } else if let full = environment.filled("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            guard Self.isTrusted(full) else {
                throw CredentialFailure(
                    message: "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this host")
            }
            url = full
        } else {
            return nil
        }
        var headers: [(name: String, value: String)] = []
        if let token = try authorization() { headers.append(("authorization", token)) }
        return try await credentials(at: url, headers, of: "the container's endpoint")
    }

    /// Whether a token may be sent there: https, loopback, or the link-local addresses of ECS and EKS.
    static func isTrusted(_ url: String) -> Bool {
        if url.hasPrefix("https://") { return true }
        guard url.hasPrefix("http://") else { return false }
        let authority = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@"), !authority.contains("\\") else { return false }
        if authority.hasPrefix("[") {
            let host = authority.dropFirst().prefix { $0 != "]" }.lowercased()
            let rest = authority.dropFirst(host.count + 1)
            return ["::1", "fd00:ec2::23"].contains(host) && (rest == "]" || rest.hasPrefix("]:"))
        }
        let host = authority.prefix { $0 != ":" }.lowercased()
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        // libcurl reads what begins with a zero as octal: such an address may be another than it seems.
        let isAddress = octets.count == 4 && octets.allSatisfy { octet in UInt8(octet).map { "\($0)" } == octet }
        if isAddress, octets.first == "127" { return true }
        return ["localhost", "169.254.170.2", "169.254.170.23"].contains(host)
    }

    private func authorization() throws(CredentialFailure) -> String? {
        var token = environment.filled("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if let file = environment.filled("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            // Read each time: EKS writes a new one before the old one ends.
            token = TextFile.read(file)?.trimmed
            if token == nil {
                throw CredentialFailure(message: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE can't be read")
            }
        }
        if let token, token.utf8.contains(where: { $0 < 0x20 }) {
            throw CredentialFailure(message: "the container's authorization token holds a line end")
        }
        return token
    }

    /// - Returns: nil where no instance answers.
    func fromInstance() async throws(CredentialFailure) -> Credentials? {
        if environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        var address = environment.filled("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        if address.hasSuffix("/") { address.removeLast() }
        let ask = HTTPRequest(
            method: .put, url: "\(address)/latest/api/token",
            headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")], connectMilliseconds: 1000,
            timeoutMilliseconds: 2000, avoidsProxy: true)
        guard let answer = await exchange(ask), answer.isSuccess else { return nil }
        let token = [("x-aws-ec2-metadata-token", String(decoding: answer.body, as: UTF8.self))]
        let roles = "\(address)/latest/meta-data/iam/security-credentials/"
        guard let list = await exchange(request(roles, token)), list.isSuccess,
            let role = String(decoding: list.body, as: UTF8.self).split(whereSeparator: \.isNewline).first
        else { return nil }
        return try await credentials(at: roles + role, token, of: "the instance's metadata")
    }

    private func request(_ url: String, _ headers: [(name: String, value: String)]) -> HTTPRequest {
        HTTPRequest(
            method: .get, url: url, headers: headers, connectMilliseconds: 1000, timeoutMilliseconds: 2000,
            avoidsProxy: true)
    }

    /// Tries three times: these endpoints are near, and busy when a host starts many containers.
    private func exchange(_ request: HTTPRequest) async -> HTTPResponse? {
        for attempt in 0..<3 {
            if attempt > 0 { await clock.sleep(Int64(100) << attempt) }
            do throws(TransportFailure) {
                let response = try await pool.send(request)
                if response.status < 500 { return response }
            } catch {
                // Where nobody listens there is no instance; asking again would only take time.
                if case .unreachable = error { return nil }
            }
        }
        return nil
    }

    private func credentials(
        at url: String, _ headers: [(name: String, value: String)], of place: String
    ) async throws(CredentialFailure) -> Credentials {
        guard let response = await exchange(request(url, headers)), response.isSuccess else {
            throw CredentialFailure(message: "\(place) gave no credentials")
        }
        guard let json = try? JSONValue(response.body), let access = json["AccessKeyId"]?.text,
            let secret = json["SecretAccessKey"]?.text
        else { throw CredentialFailure(message: "\(place) gave something else than credentials") }
        return Credentials(
            accessKey: access, secretKey: secret, sessionToken: json["Token"]?.text,
            expiration: json["Expiration"]?.text.flatMap { Timestamp($0) })
    }
}

import EventStore
import HTTPClient

/// The places where the AWS SDKs look for credentials, in their order: the environment, a web identity, the profile
/// files, the container's endpoint, the instance's. The first that is set up has to deliver.
struct CredentialChain: Sendable {
    let settings: AWSSettings
    let environment: [String: String]
    let pool: ConnectionPool
    let clock: AWSClock

    /// - Throws: what the first place that is set up lacks, or that none is.
    func find() async throws(CredentialFailure) -> Credentials {
        if let found = fromEnvironment() { return found }
        if let file = environment.filled("AWS_WEB_IDENTITY_TOKEN_FILE"), let role = environment.filled("AWS_ROLE_ARN") {
            return try await assume(role, session: environment.filled("AWS_ROLE_SESSION_NAME"), tokenFile: file)
        }
        if let found = try await fromProfile() { return found }
        let metadata = MetadataCredentials(environment: environment, pool: pool, clock: clock)
        if let found = try await metadata.fromContainer() { return found }
        if let found = try await metadata.fromInstance() { return found }
        throw CredentialFailure(
            message: "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    }

    private func fromEnvironment() -> Credentials? {
        guard let access = environment.filled("AWS_ACCESS_KEY_ID"),
            let secret = environment.filled("AWS_SECRET_ACCESS_KEY")
        else { return nil }
        return Credentials(
            accessKey: access, secretKey: secret, sessionToken: environment.filled("AWS_SESSION_TOKEN"))
    }

    // MARK: Profiles

    private func fromProfile() async throws(CredentialFailure) -> Credentials? {
        let profiles = Profiles(environment: environment)
        guard profiles[profiles.name] != nil else {
            if profiles.isNamed {
                throw CredentialFailure(message: "there is no profile \(profiles.name) in the AWS profile files")
            }
            return nil
        }
        return try await credentials(of: profiles.name, profiles.chosen)
    }

    private func credentials(
        of name: String, _ profile: [String: String]
    ) async throws(CredentialFailure) -> Credentials? {
        if let role = profile["role_arn"] {
            // Keys in the same profile are another identity, and never taken in place of the role's.
            guard let file = profile["web_identity_token_file"] else { throw Self.unread("role_arn", of: name) }
            return try await assume(role, session: profile["role_session_name"], tokenFile: file)
        }
        if let found = fixed(profile) { return found }
        let foreign = ["sso_session", "sso_start_url", "credential_process", "credential_source", "login_session"]
        if let setting = foreign.first(where: { profile[$0] != nil }) { throw Self.unread(setting, of: name) }
        return nil
    }

    private static func unread(_ setting: String, of name: String) -> CredentialFailure {
        CredentialFailure(
            message: "profile \(name) uses \(setting), which is not read here: "
                + "put its credentials into the environment (aws configure export-credentials --format env)")
    }

    private func fixed(_ profile: [String: String]) -> Credentials? {
        guard let access = profile.filled("aws_access_key_id"), let secret = profile.filled("aws_secret_access_key")
        else { return nil }
        return Credentials(accessKey: access, secretKey: secret, sessionToken: profile.filled("aws_session_token"))
    }

    // MARK: Roles

    private func assume(
        _ role: String, session: String?, tokenFile: String
    ) async throws(CredentialFailure) -> Credentials {
        guard let token = TextFile.read(tokenFile)?.trimmed, !token.isEmpty else {
            throw CredentialFailure(message: "the web identity token file \(tokenFile) can't be read")
        }
        let session = session ?? "appointment-ledger-\(clock.now().milliseconds)"
        let client = AWSClient(settings: settings, pool: pool, clock: clock, credentials: .none)
        let answer: XMLText
        do throws(AWSError) {
            answer = try await client.query(
                .sts, "AssumeRoleWithWebIdentity",
                [("RoleArn", role), ("RoleSessionName", session), ("WebIdentityToken", token)])
        } catch {
            throw CredentialFailure(message: "the role could not be assumed: \(error)")
        }
        guard let access = answer["AccessKeyId"], let secret = answer["SecretAccessKey"],
            let token = answer["SessionToken"], let end = answer["Expiration"].flatMap({ Timestamp($0) })
        else { throw CredentialFailure(message: "the answer of sts holds no credentials") }
        return Credentials(accessKey: access, secretKey: secret, sessionToken: token, expiration: end)
    }
}

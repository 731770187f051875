import Synchronization

/// What the holder of an API key may do.
package enum Role: String, CaseIterable, Sendable {
    /// Front ends: ask for appointments and read an insured person's own.
    case intake
    /// Operators: read every list.
    case `operator`
    /// Auditors: read histories and the audit log.
    case auditor
    /// Everything.
    case admin
}

/// An API key as it is kept: never the secret itself.
package struct APIKey: Equatable, Sendable {
    /// Names the holder, who may have had several keys; events that they cause have the actor `key:<name>`.
    package let name: String
    package var role: Role
    /// The SHA-256 of the secret.
    package let digest: Hash
    package let createdAt: Timestamp
    package var revokedAt: Timestamp?

    package init(name: String, role: Role, digest: Hash, createdAt: Timestamp, revokedAt: Timestamp? = nil) {
        (self.name, self.role, self.digest) = (name, role, digest)
        (self.createdAt, self.revokedAt) = (createdAt, revokedAt)
    }

    /// Tells the keys of a holder apart, and nothing of their secrets.
    package var id: String { Self.id(of: digest) }

    package var isLive: Bool { revokedAt == nil }

    /// Eight letters for the first 32 bits of a digest. They are no digits, so that nobody takes them for a person's.
    package static func id(of digest: Hash) -> String {
        let letters = Array("bcdfghjkmnpqrstv".utf8)
        return String(
            decoding: digest.bytes.prefix(4).flatMap { [letters[Int($0 >> 4)], letters[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// The API keys by the SHA-256 of their secrets, and the records of how they came to be: a chain that only grows. A
/// secret has 256 random bits, so a plain digest can't be searched.
package protocol APIKeys: Sendable {
    /// Carries out what is asked for, with its records, once that is durable.
    ///
    /// - Parameter actor: who asks for it.
    /// - Returns: what was recorded; nothing for what had been done before.
    /// - Throws: `invalid` for what the holder's keys do not allow, with what to do; `corrupt` when these keys are not
    ///   what their records say.
    func carryOut(
        _ command: KeyCommand, by actor: String, at now: Timestamp
    ) async throws(EventStoreError) -> [KeyRecord]

    /// The key with this digest, also when it was revoked; nil where there is none.
    func key(digest: Hash) async throws(EventStoreError) -> APIKey?

    /// All keys, by holder and age.
    func list() async throws(EventStoreError) -> [APIKey]

    /// The records of all changes as they are stored, the oldest first.
    func records() async throws(EventStoreError) -> [ChainedRecord]
}

extension [APIKey] {
    /// By holder and age.
    package var inOrder: [APIKey] {
        sorted {
            ($0.name, $0.createdAt.milliseconds, $0.digest.description)
                < ($1.name, $1.createdAt.milliseconds, $1.digest.description)
        }
    }
}

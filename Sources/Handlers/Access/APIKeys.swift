package import EventStore
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
    /// Names the holder; events that the key causes have the actor `key:<name>`.
    package let name: String
    package let role: Role
    package let createdAt: Timestamp
    package var revokedAt: Timestamp?

    package init(name: String, role: Role, createdAt: Timestamp, revokedAt: Timestamp? = nil) {
        (self.name, self.role, self.createdAt, self.revokedAt) = (name, role, createdAt, revokedAt)
    }
}

/// The API keys by the SHA-256 of their secrets. A secret has 256 random bits, so a plain digest can't be searched.
package protocol APIKeys: Sendable {
    /// Stores a key.
    ///
    /// - Throws: `invalid` when the name is taken, also by a revoked key, since events name their actor by it.
    func add(_ key: APIKey, digest: Hash) async throws(EventStoreError)

    /// The key with this digest, also when it was revoked; nil where there is none.
    func key(digest: Hash) async throws(EventStoreError) -> APIKey?

    /// All keys, by name.
    func list() async throws(EventStoreError) -> [APIKey]

    /// Revokes a key for good; false when no key has this name or it was revoked before.
    func revoke(_ name: String, at now: Timestamp) async throws(EventStoreError) -> Bool
}

/// The reference: all keys in memory.
package final class MemoryAPIKeys: APIKeys {
    private let keys = Mutex<[Hash: APIKey]>([:])

    package init() {}

    package func add(_ key: APIKey, digest: Hash) async throws(EventStoreError) {
        try keys.withLock { (keys) throws(EventStoreError) in
            guard !keys.values.contains(where: { $0.name == key.name }) else { throw .nameTaken(key.name) }
            keys[digest] = key
        }
    }

    package func key(digest: Hash) async throws(EventStoreError) -> APIKey? { keys.withLock { $0[digest] } }

    package func list() async throws(EventStoreError) -> [APIKey] {
        keys.withLock { $0.values.sorted { $0.name < $1.name } }
    }

    package func revoke(_ name: String, at now: Timestamp) async throws(EventStoreError) -> Bool {
        keys.withLock { keys in
            guard let digest = keys.first(where: { $0.value.name == name && $0.value.revokedAt == nil })?.key else {
                return false
            }
            keys[digest]?.revokedAt = now
            return true
        }
    }
}

extension EventStoreError {
    /// The refusal of a second key with the same name.
    package static func nameTaken(_ name: String) -> EventStoreError {
        EventStoreError(.invalid, message: "a key named \(name) exists or existed: choose another name")
    }
}

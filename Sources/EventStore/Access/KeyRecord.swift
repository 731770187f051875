/// That the API keys were changed, by whom and how. Its fields are a storage format: what is stored is hashed as it is.
package struct KeyRecord: Equatable, Sendable {
    /// What was done.
    package enum Change: String, CaseIterable, Sendable {
        case created
        case rotated
        case revoked
        case roleChanged = "role-changed"
    }

    package let at: Timestamp
    /// Who changed them: `operator:<user>`, or `migration` for keys that are older than the records.
    package let by: String
    package let change: Change
    /// The holder.
    package let name: String
    /// The holder's role from then on.
    package let role: Role
    /// The key; nil where the holder is meant.
    package let digest: Hash?

    /// What the chain of these records is called.
    package static let chainName = "api-keys"
    /// Who is named for keys that were made before records were kept.
    package static let migration = "migration"

    package init(at: Timestamp, by actor: String, change: Change, name: String, role: Role, digest: Hash?) {
        (self.at, by, self.change) = (at, actor, change)
        (self.name, self.role, self.digest) = (name, role, digest)
    }

    /// As it is stored and hashed.
    package var fields: [String?] {
        [at.description, by, change.rawValue, name, role.rawValue, digest?.description]
    }

    /// Reads what was stored; nil for what no program has written.
    package init?(fields: [String?]) {
        guard fields.count == 6, let at = fields[0].flatMap({ Timestamp($0) }), let by = fields[1],
            let change = fields[2].flatMap(Change.init), let name = fields[3], let role = fields[4].flatMap(Role.init)
        else { return nil }
        var digest: Hash?
        if let text = fields[5] {
            guard let hash = Base64.decode(text).flatMap({ Hash(bytes: $0) }) else { return nil }
            digest = hash
        }
        guard (digest == nil) == (change == .roleChanged) else { return nil }
        self.init(at: at, by: by, change: change, name: name, role: role, digest: digest)
    }

    /// The records that keys would have which were made before records were kept.
    package static func ofMigrated(_ keys: [APIKey]) -> [KeyRecord] {
        keys.flatMap { key in
            let created = KeyRecord(
                at: key.createdAt, by: migration, change: .created, name: key.name, role: key.role, digest: key.digest)
            let revoked = key.revokedAt.map {
                KeyRecord(
                    at: $0, by: migration, change: .revoked, name: key.name, role: key.role, digest: key.digest)
            }
            return [created] + (revoked.map { [$0] } ?? [])
        }
    }
}

/// The keys as the records of their changes make them.
package struct KeyHistory: Sendable {
    /// In the order in which they were made.
    package private(set) var keys: [APIKey] = []
    private var places: [Hash: Int] = [:]

    package init(_ records: [KeyRecord] = []) {
        for record in records { take(record) }
    }

    /// Takes in the next record.
    package mutating func take(_ record: KeyRecord) {
        switch record.change {
        case .created, .rotated:
            guard let digest = record.digest, places[digest] == nil else { return }
            places[digest] = keys.count
            keys.append(APIKey(name: record.name, role: record.role, digest: digest, createdAt: record.at))
        case .revoked:
            guard let place = record.digest.flatMap({ places[$0] }) else { return }
            keys[place].revokedAt = record.at
        case .roleChanged:
            // Those that ended keep the role that they had.
            for place in keys.indices where keys[place].name == record.name && keys[place].isLive {
                keys[place].role = record.role
            }
        }
    }

    /// All that a holder has had.
    package func keys(of name: String) -> [APIKey] { keys.filter { $0.name == name } }
}

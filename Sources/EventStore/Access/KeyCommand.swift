/// What is asked for of a holder's keys.
package enum KeyCommand: Equatable, Sendable {
    /// A holder whom nobody knows gets a first key.
    case create(name: String, role: Role, digest: Hash)
    /// A holder gets another key in addition to the one that is live, or a new one where none is.
    case rotate(name: String, digest: Hash)
    /// A holder's live keys get another role.
    case setRole(name: String, role: Role)
    /// Keys of a holder end for good.
    case revoke(name: String, Selection)

    /// Which of a holder's keys.
    package enum Selection: Equatable, Sendable {
        case all
        /// The one that was made before the other.
        case older
        /// The one with this id.
        case id(String)
    }

    /// The most keys of one holder that are live together.
    package static let maximumLiveKeys = 2

    /// The holder.
    package var name: String {
        switch self {
        case .create(let name, _, _), .rotate(let name, _), .setRole(let name, _), .revoke(let name, _): name
        }
    }

    /// Decides what it changes.
    ///
    /// - Parameter keys: all that the holder has had, the oldest first.
    /// - Returns: the records to be kept; none for what had been done before.
    /// - Throws: `invalid`, with what to do instead.
    package func records(
        on keys: [APIKey], by actor: String, at now: Timestamp
    ) throws(EventStoreError) -> [KeyRecord] {
        /// A record that is not older than what is there: a clock may have been set back since.
        func record(_ change: KeyRecord.Change, _ role: Role, _ digest: Hash?, after: Timestamp? = nil) -> KeyRecord {
            let at = after.map { max(now, $0.adding(milliseconds: 1)) } ?? now
            return KeyRecord(at: at, by: actor, change: change, name: name, role: role, digest: digest)
        }
        let live = keys.filter(\.isLive)
        switch self {
        case .create(_, let role, let digest):
            if keys.contains(where: { $0.digest == digest }) { return [] }
            guard keys.isEmpty else {
                throw EventStoreError(
                    .invalid,
                    message: "a holder named \(name) exists or existed: `ledger keys rotate \(name)` gives it another "
                        + "secret, or choose another name")
            }
            guard !PersonNumbers.isFound(in: name) else {
                throw EventStoreError(
                    .invalid, message: "a name with five digits in a row may be a person's number: choose another name")
            }
            return [record(.created, role, digest)]
        case .rotate(_, let digest):
            if keys.contains(where: { $0.digest == digest }) { return [] }
            let newest = try newest(of: keys)
            guard live.count < Self.maximumLiveKeys else {
                throw EventStoreError(
                    .invalid,
                    message: "\(name) has two live secrets: end the older one first, with `ledger keys revoke \(name) "
                        + "--older`")
            }
            return [record(.rotated, newest.role, digest, after: newest.createdAt)]
        case .setRole(_, let role):
            return try selected(.all, of: keys).allSatisfy { $0.role == role } ? [] : [record(.roleChanged, role, nil)]
        case .revoke(_, let selection):
            return try selected(selection, of: keys).map {
                record(.revoked, $0.role, $0.digest, after: $0.createdAt.adding(milliseconds: -1))
            }
        }
    }

    private func newest(of keys: [APIKey]) throws(EventStoreError) -> APIKey {
        guard let newest = keys.last else {
            throw EventStoreError(
                .invalid, message: "nobody is named \(name): `ledger keys create --name \(name) --role …` makes a key")
        }
        return newest
    }

    private func selected(_ selection: Selection, of keys: [APIKey]) throws(EventStoreError) -> [APIKey] {
        let live = keys.filter(\.isLive)
        guard !live.isEmpty else {
            throw EventStoreError(
                .invalid, message: "no key of \(name) is in force: `ledger keys list` shows all")
        }
        switch selection {
        case .all: return live
        case .older:
            guard live.count > 1 else {
                throw EventStoreError(
                    .invalid, message: "\(name) has one live secret and no older one: leave out --older to end it")
            }
            return Array(live.prefix(live.count - 1))
        case .id(let id):
            let found = live.filter { $0.id == id }
            guard !found.isEmpty else {
                throw EventStoreError(
                    .invalid, message: "no live key of \(name) has this id: `ledger keys list` shows all")
            }
            return found
        }
    }
}

extension EventStoreError {
    /// The refusal to change a holder's keys that somebody has changed without this program.
    package static func unlikeRecords(_ name: String) -> EventStoreError {
        EventStoreError(
            .corrupt, message: "the keys of \(name) are not what their records say: run `ledger verify`")
    }
}

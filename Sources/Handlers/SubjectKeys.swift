package import EventStore
package import Projections

/// Finds the key of a person, and makes one for a person's first request. A person who is remembered costs no look-up.
package struct SubjectKeys: Sendable {
    private let directory: any SubjectDirectory
    private let keys: PersonKeys
    private let random: @Sendable (_ count: Int) -> [UInt8]

    /// - Parameter random: gives bytes of a cryptographic random generator.
    package init(
        directory: any SubjectDirectory, keys: PersonKeys, random: @escaping @Sendable (_ count: Int) -> [UInt8]
    ) {
        (self.directory, self.keys, self.random) = (directory, keys, random)
    }

    /// With keys that nobody else remembers.
    package init(
        directory: any SubjectDirectory, keys: KeyRing, random: @escaping @Sendable (_ count: Int) -> [UInt8]
    ) {
        self.init(directory: directory, keys: PersonKeys(keys), random: random)
    }

    /// The key of a person.
    ///
    /// - Throws: `unavailable`, or `corrupt` when the stored key does not open with this ring.
    package func key(of person: PersonName) async throws(EventStoreError) -> SubjectKey {
        if let key = keys.key(of: person) { return key }
        guard let id = Identifier(bytes: random(16)) else { preconditionFailure("16 bytes make an identifier") }
        // A person who has a row keeps it: one call finds or makes it, where looking first would cost most callers two.
        let row = try await directory.add(
            try keys.ring.newSubject(
                person, id: .version4(random: (id.high, id.low)), key: random(32), nonce: random(12)))
        return try keys.key(of: row, as: person)
    }
}

package import EventStore
import Synchronization

/// Finds the key of a person, and makes one for a person's first request.
///
/// Keys are remembered, so that a known person costs no look-up; `forget` drops them when a person is erased.
package final class SubjectKeys: Sendable {
    private let directory: any SubjectDirectory
    private let keys: KeyRing
    private let random: @Sendable (_ count: Int) -> [UInt8]
    private let known = Mutex<[PersonName: SubjectKey]>([:])
    private let capacity: Int

    /// - Parameter random: gives bytes of a cryptographic random generator.
    /// - Parameter capacity: how many keys are remembered before all are dropped.
    package init(
        directory: any SubjectDirectory, keys: KeyRing, capacity: Int = 50_000,
        random: @escaping @Sendable (_ count: Int) -> [UInt8]
    ) {
        (self.directory, self.keys, self.capacity, self.random) = (directory, keys, capacity, random)
    }

    /// The key of a person.
    ///
    /// - Throws: `unavailable`, or `corrupt` when the stored key does not open with this ring.
    package func key(of person: PersonName) async throws(EventStoreError) -> SubjectKey {
        if let key = known.withLock({ $0[person] }) { return key }
        guard let id = Identifier(bytes: random(16)) else { preconditionFailure("16 bytes make an identifier") }
        // A person who has a row keeps it: one call finds or makes it, where looking first would cost most callers two.
        let row = try await directory.add(
            try keys.newSubject(person, id: .version4(random: (id.high, id.low)), key: random(32), nonce: random(12)))
        let key = try keys.key(of: row)
        known.withLock { known in
            if known.count >= capacity { known.removeAll() }
            known[person] = key
        }
        return key
    }

    /// Drops what is remembered of all persons.
    package func forget() { known.withLock { $0.removeAll() } }
}

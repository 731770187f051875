import Crypto

/// Wraps the keys of persons under one master key (AES-256-GCM, the subject's id and key number authenticated), and
/// derives the local secrets that are not a person's.
package struct KeyRing: Sendable {
    private let master: [UInt8]

    /// A ring with a master key of 32 bytes.
    ///
    /// - Throws: `invalid` for any other length.
    package init(master: [UInt8]) throws(EventStoreError) {
        guard master.count == 32 else {
            throw EventStoreError(.invalid, message: "the key file does not hold 32 bytes: restore it from its backup")
        }
        self.master = master
    }

    /// A secret for one purpose, derived from the master key: HMAC-SHA256 over the purpose's name.
    package func secret(for purpose: String) -> [UInt8] {
        Hash.authentication(of: Array("secret|\(purpose)".utf8), key: master).bytes
    }

    /// A new directory row for a person, with the person's key wrapped.
    ///
    /// - Parameter key: 32 random bytes.
    /// - Parameter nonce: 12 random bytes.
    /// - Throws: `invalid` when a length is wrong.
    package func newSubject(
        _ person: PersonName, id: Identifier, key: [UInt8], nonce: [UInt8]
    ) throws(EventStoreError) -> Subject {
        guard key.count == 32, nonce.count == 12 else {
            throw EventStoreError(.invalid, message: "a person's key has 32 bytes and is wrapped with 12 of nonce")
        }
        do {
            let box = try AES.GCM.seal(
                key, using: SymmetricKey(data: master), nonce: AES.GCM.Nonce(data: nonce),
                authenticating: Self.place(id, 1))
            return Subject(
                id: id, person: person, keyNumber: 1,
                wrappedKey: Array(box.nonce) + Array(box.ciphertext) + Array(box.tag))
        } catch {
            throw EventStoreError(.invalid, message: "a person's key could not be wrapped", cause: error)
        }
    }

    /// The key of a person, unwrapped.
    ///
    /// - Throws: `corrupt` when the wrapped key does not open: the key file is not the one it was wrapped with.
    package func key(of subject: Subject) throws(EventStoreError) -> SubjectKey {
        do {
            let bytes = try AES.GCM.open(
                AES.GCM.SealedBox(combined: subject.wrappedKey), using: SymmetricKey(data: master),
                authenticating: Self.place(subject.id, subject.keyNumber))
            return SubjectKey(subject: subject.id, number: subject.keyNumber, bytes: Array(bytes))
        } catch {
            throw EventStoreError(
                .corrupt, message: "the key of subject \(subject.id) does not open: is this the right key file?",
                cause: error)
        }
    }

    private static func place(_ id: Identifier, _ number: Int) -> [UInt8] { Array("\(id)|\(number)".utf8) }
}

import Crypto

/// A personal value, sealed: AES-256-GCM (NIST SP 800-38D) under the person's own key.
///
/// The sealed bytes are `nonce(12) ‖ ciphertext ‖ tag(16)`. The plaintext is padded to a multiple of 32 bytes, so
/// that its length says nothing; the additional data is `stream|version|type|field`, so that it opens nowhere else.
package struct SealedField: Sendable {
    /// What the entry says of it.
    package let reference: PersonalReference
    /// What is kept next to the entry.
    package let sealed: [UInt8]
    /// The value in clear, for a view that is written together with the event. It is never stored with the event.
    package let clear: String

    /// Seals a value of at most 255 bytes for one place in one stream.
    ///
    /// - Parameter nonce: 12 bytes that this key has never been used with.
    /// - Throws: `invalid` when the value or the nonce has the wrong length.
    package init(
        _ clear: String, field: String, key: SubjectKey, stream: StreamID, version: Int, type: String, nonce: [UInt8]
    ) throws(EventStoreError) {
        guard nonce.count == 12, key.bytes.count == 32 else {
            throw EventStoreError(.invalid, message: "field \(field) is sealed with 32 bytes of key and 12 of nonce")
        }
        do {
            let box = try AES.GCM.seal(
                Self.pad(clear), using: SymmetricKey(data: key.bytes), nonce: AES.GCM.Nonce(data: nonce),
                authenticating: Self.place(stream, version, type, field))
            sealed = Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
        } catch {
            throw EventStoreError(.invalid, message: "field \(field) could not be sealed", cause: error)
        }
        reference = PersonalReference(
            field: field, subject: key.subject, key: key.number, sha256: Hash(of: sealed))
        self.clear = clear
    }

    /// Opens a sealed field.
    ///
    /// - Throws: `corrupt` when the bytes were changed, belong to another place, or to another key.
    package static func open(
        _ sealed: [UInt8], field: String, key: SubjectKey, stream: StreamID, version: Int, type: String
    ) throws(EventStoreError) -> String {
        do {
            let padded = try AES.GCM.open(
                AES.GCM.SealedBox(combined: sealed), using: SymmetricKey(data: key.bytes),
                authenticating: place(stream, version, type, field))
            if let clear = unpad(Array(padded)) { return clear }
        } catch {
            throw EventStoreError(
                .corrupt, message: "field \(field) of version \(version) of \(stream) does not open with its key",
                cause: error)
        }
        throw EventStoreError(.corrupt, message: "field \(field) of version \(version) of \(stream) is padded wrongly")
    }

    private static func place(_ stream: StreamID, _ version: Int, _ type: String, _ field: String) -> [UInt8] {
        var place: [UInt8] = []
        place.reserveCapacity(96)
        place.append(contentsOf: stream.description.utf8)
        place.append(UInt8(ascii: "|"))
        place.append(contentsOf: String(version).utf8)
        place.append(UInt8(ascii: "|"))
        place.append(contentsOf: type.utf8)
        place.append(UInt8(ascii: "|"))
        place.append(contentsOf: field.utf8)
        return place
    }

    /// One byte of length, the value, zeros up to a multiple of 32.
    private static func pad(_ clear: String) throws(EventStoreError) -> [UInt8] {
        let value = Array(clear.utf8)
        guard let length = UInt8(exactly: value.count) else {
            throw EventStoreError(.invalid, message: "a personal value has more than 255 bytes")
        }
        let padded = [length] + value
        return padded + Array(repeating: 0, count: (32 - padded.count % 32) % 32)
    }

    private static func unpad(_ padded: [UInt8]) -> String? {
        guard let length = padded.first.map(Int.init), length < padded.count else { return nil }
        return String(validating: padded.dropFirst().prefix(length), as: UTF8.self)
    }
}

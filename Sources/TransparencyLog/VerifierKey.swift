import Crypto
import EventStore

/// What a signature stands for (C2SP signed-note, "Signature types").
package enum SignatureType: UInt8, Sendable {
    /// Ed25519 over the text of a note: `0x01`.
    case ed25519 = 0x01
    /// A witness' Ed25519 signature with a time over a checkpoint: `0x04`, `cosignature/v1` (C2SP tlog-cosignature,
    /// "Ed25519 signed message").
    case cosignature = 0x04
}

/// The public half of a key that signs notes (C2SP signed-note, "Verifier keys").
package struct VerifierKey: Sendable {
    /// Whose key it is. A log's key is named like its origin (C2SP tlog-checkpoint, "Signatures").
    package let name: String
    package let type: SignatureType
    /// The 32 bytes of the Ed25519 key (RFC 8032).
    package let publicKey: [UInt8]
    /// The first four bytes of `SHA-256(name ‖ 0x0A ‖ type ‖ public key)` (C2SP signed-note, "Signatures").
    package let id: UInt32

    /// The most bytes that the text of a key may have. The limit is ours.
    static let maximumBytes = 1024

    /// The key with these parts.
    ///
    /// - Throws: `malformed` for a name that no key may have, and for a public key that has not 32 bytes.
    package init(name: String, type: SignatureType, publicKey: [UInt8]) throws(TransparencyError) {
        guard name.isKeyName, name.utf8.count <= Self.maximumBytes else {
            throw TransparencyError(
                .malformed, "the name of a key is empty, too long, or has a space, a plus or a control character")
        }
        guard publicKey.count == 32, (try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)) != nil else {
            throw TransparencyError(.malformed, "a public key of Ed25519 has 32 bytes")
        }
        (self.name, self.type, self.publicKey) = (name, type, publicKey)
        id = Hash(of: Array(name.utf8) + [0x0A, type.rawValue] + publicKey).bytes.prefix(4)
            .reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Whether a signature was made by this key over this message (RFC 8032).
    func isSignature(_ signature: some Collection<UInt8>, of message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(Array(signature), for: message)
    }
}

// MARK: - Text

extension VerifierKey: CustomStringConvertible, Equatable, Hashable {
    /// `NAME+HEXID+BASE64` (C2SP signed-note, "Verifier keys").
    package var description: String { name + "+" + keyIDText(id) + "+" + Base64.encode([type.rawValue] + publicKey) }

    /// Reads a verifier key.
    ///
    /// - Throws: `unsupported` for a key of a type that this program does not check, `malformed` for any other text
    ///   that `description` would not have written.
    package init(_ text: some StringProtocol) throws(TransparencyError) {
        let (name, id, content) = try Self.parts(of: text)
        guard let type = content.first else { throw Self.unreadable }
        guard let type = SignatureType(rawValue: type) else {
            throw TransparencyError(
                .unsupported, "the key is of type \(type): this program knows Ed25519 (1) and its cosignatures (4)")
        }
        try self.init(name: name, type: type, publicKey: Array(content.dropFirst()))
        guard keyIDText(self.id).hasBytes(of: id) else {
            throw TransparencyError(.malformed, "the key id of \(name) is not that of its name and public key")
        }
    }

    /// The name, the key id and the content of a key, which stand between plus signs.
    static func parts(
        of text: some StringProtocol
    ) throws(TransparencyError) -> (name: String, id: String, content: [UInt8]) {
        let parts = Array(text.utf8.prefix(maximumBytes + 1))
            .split(separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard text.utf8.count <= maximumBytes, parts.count == 3, let content = Base64.decode(parts[2]) else {
            throw unreadable
        }
        return (parts[0], parts[1], content)
    }

    private static let unreadable = TransparencyError(
        .malformed, "a verifier key is written NAME+ID+KEY: eight digits of hexadecimal, then base64")

    package static func == (left: VerifierKey, right: VerifierKey) -> Bool {
        left.description.hasBytes(of: right.description)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// A key id in eight digits of lowercase hexadecimal (C2SP signed-note, "Conventions").
func keyIDText(_ id: UInt32) -> String {
    let digits = String(id, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}

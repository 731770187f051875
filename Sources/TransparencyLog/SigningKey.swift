import Crypto
import EventStore

/// A key that signs notes, kept as Go's `golang.org/x/mod/sumdb/note` keeps it:
/// `PRIVATE+KEY+NAME+HEXID+BASE64(type ‖ 32 bytes of seed)`.
package struct SigningKey: Sendable {
    /// Its public half.
    package let verifier: VerifierKey
    private let seed: [UInt8]

    /// The key of a seed (RFC 8032 section 5.1.5).
    ///
    /// - Throws: `malformed` for a name that no key may have, and for a seed that has not 32 bytes.
    package init(name: String, type: SignatureType, seed: [UInt8]) throws(TransparencyError) {
        guard seed.count == 32, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw TransparencyError(.malformed, "the seed of a signing key has 32 bytes")
        }
        verifier = try VerifierKey(name: name, type: type, publicKey: Array(key.publicKey.rawRepresentation))
        self.seed = seed
    }

    /// The Ed25519 signature of some bytes (RFC 8032 section 5.1.6), 64 bytes.
    package func signature(of message: [UInt8]) throws -> [UInt8] {
        Array(try Curve25519.Signing.PrivateKey(rawRepresentation: seed).signature(for: message))
    }
}

extension SigningKey {
    private static let prefix = "PRIVATE+KEY+"

    /// The whole key as a line without its newline: a secret.
    package var secretText: String {
        let verifier = verifier
        return Self.prefix + verifier.name + "+" + keyIDText(verifier.id) + "+"
            + Base64.encode([verifier.type.rawValue] + seed)
    }

    /// Reads a key.
    ///
    /// - Throws: `unsupported` for a type that this program does not sign with, `malformed` for any other text that
    ///   `secretText` would not have written. The message never has any of the text.
    package init(secretText text: some StringProtocol) throws(TransparencyError) {
        let unreadable = TransparencyError(.malformed, "the text is no signing key (PRIVATE+KEY+NAME+ID+SEED)")
        guard text.utf8.starts(with: Self.prefix.utf8) else { throw unreadable }
        let rest = Array(text.utf8.dropFirst(Self.prefix.utf8.count).prefix(VerifierKey.maximumBytes + 1))
        let parts: (name: String, id: String, content: [UInt8])
        do throws(TransparencyError) {
            parts = try VerifierKey.parts(of: String(decoding: rest, as: UTF8.self))
        } catch {
            throw unreadable
        }
        guard let first = parts.content.first else { throw unreadable }
        guard let type = SignatureType(rawValue: first) else {
            throw TransparencyError(.unsupported, "the signing key is of a type that this program does not know")
        }
        try self.init(name: parts.name, type: type, seed: Array(parts.content.dropFirst()))
        guard keyIDText(verifier.id).hasBytes(of: parts.id) else {
            throw TransparencyError(.malformed, "the key id of the signing key is not that of its name and seed")
        }
    }
}

/// Why some bytes are not the note, checkpoint, proof or policy that was asked for, or do not hold.
package struct TransparencyError: Error, Equatable, Sendable {
    /// What can be wrong.
    package enum Kind: String, Equatable, Sendable {
        /// The bytes are not written as their specification wants it.
        case malformed
        /// There are more bytes, lines or signatures than this program reads.
        case tooLarge
        /// A key or a line of a kind that this program does not know.
        case unsupported
        /// No key that is trusted has signed it.
        case unsigned
        /// A key that is trusted stands under it, and the signature is not that key's.
        case badSignature
        /// It is signed, but not by as many witnesses as the policy wants.
        case quorumMissed
        /// A proof does not lead to the root that was signed.
        case unproven
    }

    package let kind: Kind
    /// What happened, to what, and what to do, as a lowercase sentence.
    package let message: String

    package init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }
}

extension TransparencyError: CustomStringConvertible {
    package var description: String { message }
}

package import EventStore
package import TransparencyLog

/// Signs with a key that this process holds.
package struct HeldKey: NoteSigner {
    private let signingKey: SigningKey

    package init(_ key: SigningKey) { signingKey = key }

    package var key: VerifierKey { signingKey.verifier }

    package func sign(_ text: String) async throws(EventStoreError) -> NoteSignature {
        do {
            return try signingKey.sign(text)
        } catch {
            throw EventStoreError(.invalid, message: "the key of \(key.name) can't sign: look at log.key", cause: error)
        }
    }
}

extension NoteSigner {
    /// A note over a text, signed by this key alone.
    package func note(over text: String) async throws(EventStoreError) -> SignedNote {
        let signature = try await sign(text)
        return try translating(to: .invalid) { () throws(TransparencyError) in
            try SignedNote(text: text, signatures: [signature])
        }
    }
}

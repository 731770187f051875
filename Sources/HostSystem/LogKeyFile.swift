package import EventStore
package import TransparencyLog

/// The file that holds the key which signs a ledger's checkpoints: one line, as Go's note package keeps a signer. The
/// key's name is the origin of the log, which is fixed with it.
package struct LogKeyFile: Sendable {
    package let path: String

    /// - Parameter directory: of an embedded ledger, which `PrivateFiles` has looked at.
    package init(_ directory: String) { path = directory + "/log.key" }

    private static let maximumBytes = 2048

    /// Reads the key.
    ///
    /// - Returns: nil when there is no such file.
    /// - Throws: `unavailable` when it can't be read, `invalid` when it does not hold a key or is a link.
    package func read() throws(EventStoreError) -> SigningKey? {
        guard let bytes = try file.read(limit: Self.maximumBytes) else { return nil }
        guard bytes.last == UInt8(ascii: "\n"), let text = String(validating: bytes.dropLast(), as: UTF8.self),
            let key = try? SigningKey(secretText: text), key.verifier.type == .ed25519
        else {
            throw EventStoreError(
                .invalid,
                message: "\(path) does not hold the key that signs checkpoints: put back the file that was there")
        }
        return key
    }

    /// Makes a new key; durable once this returns.
    ///
    /// - Throws: `invalid` for an origin that a log can't have; `unavailable` when the file is there already or can't
    ///   be written.
    package func make(origin: String) throws(EventStoreError) -> SigningKey {
        let key = try Self.newKey(origin: origin)
        try file.create(Self.line(key))
        return key
    }

    /// Puts a new key in the place of the one that is there, which is kept under another name.
    ///
    /// - Returns: the key, and where the old one is; nil where there was none.
    package func replace(origin: String) throws(EventStoreError) -> (key: SigningKey, kept: String?) {
        let key = try Self.newKey(origin: origin)
        var kept: String?
        if let old = try file.read(limit: Self.maximumBytes) {
            let name = (try read()).map { String($0.verifier.id, radix: 16) } ?? "unreadable"
            let place = DurableFile("\(path).\(name)", subject: "the copy of the old key")
            if try place.read(limit: Self.maximumBytes) != old { try place.create(old) }
            kept = place.path
        }
        try file.replace(with: Self.line(key))
        return (key, kept)
    }

    private var file: DurableFile { DurableFile(path, subject: "the key file \(path)") }

    private static func line(_ key: SigningKey) -> [UInt8] { Array(key.secretText.utf8) + [UInt8(ascii: "\n")] }

    private static func newKey(origin: String) throws(EventStoreError) -> SigningKey {
        do throws(TransparencyError) {
            _ = try Checkpoint(origin: origin, size: 0, root: MerkleTree.emptyRoot)
            return try SigningKey(name: origin, type: .ed25519, seed: System.random(32))
        } catch {
            throw EventStoreError(
                .invalid,
                message: """
                    the origin '\(origin)' can't name a log: take a name like a web address without https://, of at \
                    most \(Checkpoint.maximumOriginBytes) bytes, without spaces and plus signs
                    """)
        }
    }
}

import Crypto

/// A SHA-256 digest: 32 bytes, kept in line so that millions of them cost no allocation.
package struct Hash: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// The digest with these bytes; nil unless there are 32.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    }

    /// The digest with these bytes, copied in one step; nil unless there are 32.
    package init?(raw bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 32 else { return nil }
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
    }

    /// The 32 bytes, in order.
    package var bytes: [UInt8] { withBytes { Array($0) } }

    /// Gives the 32 bytes to `body` without copying them.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withUnsafeBytes(of: words, body)
    }

    package static func == (left: Hash, right: Hash) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

// MARK: - Hashing

extension Hash {
    /// The digest of some bytes.
    package init(of message: [UInt8]) { self = message.withUnsafeBytes { Hash($0, prefix: nil) } }

    /// The leaf of an entry: `SHA-256(0x00 ‖ entry)`, as RFC 6962 section 2.1 hashes a leaf of a Merkle tree.
    package static func leaf(of entry: [UInt8]) -> Hash { entry.withUnsafeBytes { leaf(of: $0) } }

    /// The leaf of an entry whose bytes the caller keeps.
    package static func leaf(of entry: UnsafeRawBufferPointer) -> Hash { Hash(entry, prefix: 0x00) }

    /// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`, as RFC 6962 section 2.1 hashes two subtrees.
    package static func node(_ left: Hash, _ right: Hash) -> Hash {
        // One update of 65 bytes: a tree is hashed by the million.
        withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { bytes in
            bytes[0] = 0x01
            left.withBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[1..<33]).copyMemory(from: $0) }
            right.withBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[33..<65]).copyMemory(from: $0) }
            return Hash(UnsafeRawBufferPointer(bytes), prefix: nil)
        }
    }

    private init(_ message: UnsafeRawBufferPointer, prefix: UInt8?) {
        var hasher = SHA256()
        if let prefix { withUnsafeBytes(of: prefix) { hasher.update(bufferPointer: $0) } }
        hasher.update(bufferPointer: message)
        let digest = hasher.finalize()
        withUnsafeMutableBytes(of: &words) { words in digest.withUnsafeBytes { words.copyMemory(from: $0) } }
    }

    /// HMAC-SHA256 of some bytes under a key (RFC 2104).
    package static func authentication(of message: [UInt8], key: [UInt8]) -> Hash {
        let code = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))
        var hash = Hash(of: [])
        withUnsafeMutableBytes(of: &hash.words) { words in code.withUnsafeBytes { words.copyMemory(from: $0) } }
        return hash
    }

    /// Whether two digests are equal, in a time that does not tell where they differ.
    package func equalsInConstantTime(_ other: Hash) -> Bool {
        let (left, right) = (words, other.words)
        return (left.0 ^ right.0) | (left.1 ^ right.1) | (left.2 ^ right.2) | (left.3 ^ right.3) == 0
    }
}

// MARK: - Base64

extension Hash: CustomStringConvertible {
    /// The digest in base64 with padding (RFC 4648 section 4).
    package var description: String { Base64.encode(bytes) }

    /// Adds the 44 characters of the description to some bytes.
    package func appendBase64(to bytes: inout [UInt8]) { withBytes { Base64.append($0, to: &bytes) } }

    /// The digest that a base64 text writes; nil unless it is the one canonical text of 32 bytes.
    package init?(base64 text: some StringProtocol) {
        guard let value = Array(text.utf8).withUnsafeBufferPointer({ Hash(base64UTF8: $0) }) else { return nil }
        self = value
    }

    init?(base64UTF8 text: UnsafeBufferPointer<UInt8>) {
        guard text.count == 44, text[43] == UInt8(ascii: "=") else { return nil }
        let isCanonical = withUnsafeMutableBytes(of: &words) { bytes in
            Base64.decode(UnsafeBufferPointer(rebasing: text[..<43]), into: bytes)
        }
        if !isCanonical { return nil }
    }
}

package import EventStore

/// The file that holds the master key of an embedded ledger: 32 random bytes that only its owner may read.
package enum KeyFile {
    /// Reads the key, of a directory that `PrivateFiles` has looked at.
    ///
    /// - Returns: nil when there is no such file.
    /// - Throws: `unavailable` when it can't be read, `invalid` when it does not hold a key or is a link.
    package static func read(_ path: String) throws(EventStoreError) -> KeyRing? {
        guard let key = try file(path).read(limit: 32) else { return nil }
        return try KeyRing(master: key)
    }

    /// Makes a new key; durable once this returns.
    ///
    /// - Throws: `unavailable` when the file is there already or can't be written.
    package static func make(_ path: String) throws(EventStoreError) -> KeyRing {
        let key = System.random(32)
        try file(path).create(key)
        return try KeyRing(master: key)
    }

    private static func file(_ path: String) -> DurableFile { DurableFile(path, subject: "the key file \(path)") }
}

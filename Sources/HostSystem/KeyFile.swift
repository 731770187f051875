package import EventStore
import Glibc

/// The file that holds the master key of an embedded ledger: 32 random bytes that only its owner may read.
package enum KeyFile {
    /// Reads the key, of a directory that `PrivateFiles` has looked at.
    ///
    /// - Returns: nil when there is no such file.
    /// - Throws: `unavailable` when it can't be read, `invalid` when it does not hold a key or is a link.
    package static func read(_ path: String) throws(EventStoreError) -> KeyRing? {
        guard let descriptor = try PrivateFiles.open(path, O_RDONLY) else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 33)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw failure("can't be read", path) }
        return try KeyRing(master: Array(bytes.prefix(count)))
    }

    /// Makes a new key; durable once this returns. It is written next to its place and gets its name when it is whole:
    /// who is killed in between leaves no half of a key there, at most a file `PATH.NUMBER` that nobody needs.
    ///
    /// - Throws: `unavailable` when the file is there already or can't be written.
    package static func make(_ path: String) throws(EventStoreError) -> KeyRing {
        let key = System.random(32)
        // A process's number may be another container's as well.
        let draft = "\(path).\(String(System.number(), radix: 16))"
        try write(key, to: draft)
        defer { unlink(draft) }
        // Unlike a renaming, this does not take the place of a key that another process has made meanwhile.
        guard link(draft, path) == 0 else { throw failure("can't be made", path) }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
        let directory = open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure("can't be made durable", path) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure("can't be made durable", path) }
        return try KeyRing(master: key)
    }

    /// Writes a key into a new file.
    private static func write(_ key: [UInt8], to path: String) throws(EventStoreError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("can't be made", path) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, key, key.count) == key.count, fsync(descriptor) == 0 else {
            // Removing it may change what went wrong.
            let error = failure("can't be written", path)
            unlink(path)
            throw error
        }
    }

    private static func failure(_ what: String, _ path: String) -> EventStoreError {
        EventStoreError(.unavailable, message: "the key file \(path) \(what): \(String(cString: strerror(errno)))")
    }
}

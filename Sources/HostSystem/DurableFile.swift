package import EventStore
import Glibc

/// A small file that is there whole or not at all. It is written next to its place and gets its name when it is
/// durable: who is killed in between leaves the older one, and at most a file `PATH.NUMBER` that nobody needs.
package struct DurableFile: Sendable {
    package let path: String
    /// How messages name it.
    private let subject: String

    /// - Parameter subject: how messages name the file; its path unless given.
    package init(_ path: String, subject: String? = nil) { (self.path, self.subject) = (path, subject ?? path) }

    /// What it holds, a link not followed; nil where there is no file. Of a larger one `limit + 1` bytes are given.
    ///
    /// - Throws: `invalid` for a link; `unavailable` when it can't be read.
    package func read(limit: Int) throws(EventStoreError) -> [UInt8]? {
        guard let descriptor = try PrivateFiles.open(path, O_RDONLY) else { return nil }
        defer { close(descriptor) }
        guard let bytes = content(of: descriptor, limit: limit) else { throw failure("can't be read") }
        return bytes
    }

    /// Puts this in the place of what was there; durable once this returns.
    ///
    /// - Throws: `unavailable`; what was there stays then, unless only the folder could not be made durable.
    package func replace(with bytes: [UInt8]) throws(EventStoreError) {
        let draft = try draft(of: bytes)
        guard rename(draft, path) == 0 else {
            let error = failure("can't be written")
            unlink(draft)
            throw error
        }
        try syncFolder()
    }

    /// Makes the file; durable once this returns. Unlike `replace` it takes the place of none that another process has
    /// made meanwhile.
    ///
    /// - Throws: `unavailable` when it is there already or can't be written.
    package func create(_ bytes: [UInt8]) throws(EventStoreError) {
        let draft = try draft(of: bytes)
        defer { unlink(draft) }
        guard link(draft, path) == 0 else { throw failure("can't be made") }
        try syncFolder()
    }

    /// A file of another name with these bytes, durable.
    private func draft(of bytes: [UInt8]) throws(EventStoreError) -> String {
        // A process's number may be another container's as well.
        let draft = "\(path).\(String(System.number(), radix: 16))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("can't be written") }
        defer { close(descriptor) }
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            // Removing it may change what went wrong.
            let error = failure("can't be written")
            unlink(draft)
            throw error
        }
        return draft
    }

    /// The folder that it is in, with its slash.
    private var folder: String { path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./" }

    private func syncFolder() throws(EventStoreError) {
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure("can't be made durable") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure("can't be made durable") }
    }

    private func failure(_ what: String) -> EventStoreError {
        EventStoreError(.unavailable, message: "\(subject) \(what): \(String(cString: strerror(errno)))")
    }
}

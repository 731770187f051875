package import EventStore
import Glibc

/// Files below a directory that others may read, such as a web server's. Each is there whole or not at all; all of them
/// are made durable together.
package struct FileTree: Sendable {
    private let root: String

    /// The largest file that is read.
    private static let maximumBytes = 32 * 1024 * 1024

    /// - Parameter root: the directory, which need not be there.
    package init(_ root: String) { self.root = root }

    /// What a file holds; nil where there is none.
    ///
    /// - Throws: `unavailable` when it can't be read; `invalid` where it is larger than any file that is written here.
    package func read(_ path: String) throws(EventStoreError) -> [UInt8]? {
        let bytes = try GivenFile.read(root + "/" + path, limit: Self.maximumBytes)
        guard bytes.map(\.count) ?? 0 <= Self.maximumBytes else {
            throw EventStoreError(.invalid, message: "\(root)/\(path) is larger than any file of a log: move it away")
        }
        return bytes
    }

    /// Writes a file, and the folders above it, unless it has these bytes already.
    ///
    /// - Returns: whether it did not have them.
    /// - Throws: `unavailable`.
    package func write(_ bytes: [UInt8], to path: String) throws(EventStoreError) -> Bool {
        if try read(path) == bytes { return false }
        let target = root + "/" + path
        try makeFolders(above: target)
        let draft = "\(target).\(String(System.number(), radix: 16))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "can't be written") }
        // A web server runs as another user; the mask of this program would hide the file from it.
        let isWritten = Glibc.write(descriptor, bytes, bytes.count) == bytes.count && fchmod(descriptor, 0o644) == 0
        close(descriptor)
        guard isWritten, rename(draft, target) == 0 else {
            let error = failure(path, "can't be written")
            unlink(draft)
            throw error
        }
        return true
    }

    /// Makes durable all that was written, here and anywhere: one call costs less than one for each of thousands of
    /// files.
    package func settle() { sync() }

    private func makeFolders(above path: String) throws(EventStoreError) {
        guard let end = path.lastIndex(of: "/"), end > path.startIndex else { return }
        let folder = String(path[..<end])
        if access(folder, F_OK) == 0 { return }
        try makeFolders(above: folder)
        guard mkdir(folder, 0o755) == 0 else {
            if errno == EEXIST { return }
            throw failure(folder, "can't be made")
        }
        chmod(folder, 0o755)
    }

    private func failure(_ path: String, _ what: String) -> EventStoreError {
        EventStoreError(.unavailable, message: "\(root)/\(path) \(what): \(String(cString: strerror(errno)))")
    }
}

package import EventStore
import Glibc

/// A file that the user names, whoever it belongs to.
package enum GivenFile {
    /// What it holds, at most `limit + 1` bytes; nil where there is no file.
    ///
    /// - Throws: `unavailable` when it can't be read.
    package static func read(_ path: String, limit: Int) throws(EventStoreError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, let bytes = content(of: descriptor, limit: limit) else {
            throw EventStoreError(.unavailable, message: "\(path) can't be read: \(String(cString: strerror(errno)))")
        }
        return bytes
    }
}

/// The bytes of an open file up to its end, at most `limit + 1`; nil, with `errno`, where they can't be read.
func content(of descriptor: Int32, limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var page = [UInt8](repeating: 0, count: min(limit + 1, 65_536))
    while bytes.count <= limit {
        let count = read(descriptor, &page, min(page.count, limit + 1 - bytes.count))
        guard count >= 0 else { return nil }
        if count == 0 { break }
        bytes += page[..<count]
    }
    return bytes
}

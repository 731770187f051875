import EventStore
import Glibc

/// A file that can only be read where it lies, such as a backup on read-only media.
enum ReadOnlyMedia {
    /// Whether the file is there, and it or its directory can't be written.
    static func holds(_ path: String) -> Bool {
        access(path, F_OK) == 0 && (access(path, W_OK) != 0 || access(directory(of: path), W_OK) != 0)
    }

    /// What SQLite is to open.
    ///
    /// It wants to make a `-shm` file next to a database in WAL mode, and can't here. Where there is no log to read,
    /// the file is all there is, and nobody changes it: SQLite is told so. Where both are there it reads them.
    /// - Throws: `invalid` when there is a log that can't be read, since what it holds would be left out unseen.
    static func name(of path: String) throws(EventStoreError) -> String {
        if access(path + "-shm", F_OK) == 0 { return path }
        var log = stat()
        guard stat(path + "-wal", &log) != 0 || log.st_size == 0 else {
            throw EventStoreError(
                .invalid,
                message: "\(path)-wal holds what is not in \(path) yet, and it can't be read where nothing can be "
                    + "written: copy both to another directory, and name that as --data")
        }
        return "file:" + encoded(absolute(path)) + "?immutable=1"
    }

    /// The refusal of whatever would write.
    static func refusal(_ path: String) -> EventStoreError {
        EventStoreError(
            .invalid,
            message: "the ledger in \(directory(of: path)) can only be read: copy it to a directory that can be "
                + "written, and name that as --data")
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func absolute(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// The path as a URI has it (RFC 3986 section 2.1).
    private static func encoded(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = path.utf8.flatMap { byte -> [UInt8] in
            let isPlain = byte.isDigit || byte.isLetter
            if isPlain || "/._-".utf8.contains(byte) { return [byte] }
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

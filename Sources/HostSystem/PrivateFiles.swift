package import EventStore
import Glibc

/// What must be its owner's alone: the directory of an embedded ledger, and the files in it.
///
/// Whoever else may write in the directory could put a key there, or a link that the program would follow; whoever may
/// read the database reads the persons in its views.
package enum PrivateFiles {
    private static let names = [
        "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite-journal", "ledger.key", "ledger.seen",
        "ledger.checkpoint", "log.key", "serve.lock", "witness.sqlite", "witness.sqlite-wal", "monitor.sqlite",
        "monitor.sqlite-wal",
    ]

    /// Looks at a directory and at those files of a ledger that are in it. The directory may be named by a link.
    ///
    /// - Throws: `invalid`, with the command that mends it, when others may write in the directory or may do anything
    ///   with a file, when something belongs to another user, or is a link; `unavailable`.
    package static func check(_ directory: String) throws(EventStoreError) {
        var status = stat()
        guard stat(directory, &status) == 0 else {
            if errno == ENOENT { return }
            throw failure(directory)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw EventStoreError(.invalid, message: "\(directory) is no directory: name another --data")
        }
        try requireOwner(status, directory, orRoot: true)
        guard status.st_mode & 0o022 == 0 else {
            throw EventStoreError(
                .invalid,
                message: "others may write in the directory \(directory), and so put a key or a link there: run "
                    + "`chmod go-w \(quoted(directory))`")
        }
        var open: [String] = []
        for name in names {
            let path = "\(directory)/\(name)"
            if try isOpen(path, owner: status.st_uid) { open.append(path) }
        }
        if !open.isEmpty {
            let (files, subject) = (open.map(quoted).joined(separator: " "), open.joined(separator: " and "))
            throw EventStoreError(.invalid, message: "others may read or write \(subject): run `chmod 600 \(files)`")
        }
    }

    /// Opens a file of the ledger without following a link.
    ///
    /// - Returns: nil when it is not there.
    package static func open(_ path: String, _ flags: Int32) throws(EventStoreError) -> Int32? {
        let descriptor = Glibc.open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor >= 0 { return descriptor }
        if errno == ENOENT, flags & O_CREAT == 0 { return nil }
        throw errno == ELOOP ? link(path) : failure(path)
    }

    /// Whether others may do anything with a file; false when it is not there.
    private static func isOpen(_ path: String, owner: uid_t) throws(EventStoreError) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return false }
            throw failure(path)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK: throw link(path)
        default: throw EventStoreError(.invalid, message: "\(path) is no file: move it away")
        }
        try requireOwner(status, path, orRoot: false, directory: owner)
        // SQLite names the log after the database: under two names a database has two logs, and is damaged.
        guard status.st_nlink == 1 || path.hasSuffix(".key") else {
            throw EventStoreError(
                .invalid,
                message: "\(path) has another name elsewhere (a hard link): make it a file of its own with "
                    + "`cp -p \(quoted(path)) \(quoted(path + ".own")) && mv \(quoted(path + ".own")) \(quoted(path))`")
        }
        return status.st_mode & 0o077 != 0
    }

    /// Root may look into the ledger of another user, whose files are then all that user's.
    private static func requireOwner(
        _ status: stat, _ path: String, orRoot: Bool, directory: uid_t? = nil
    ) throws(EventStoreError) {
        let user = geteuid()
        if status.st_uid == user || orRoot && (status.st_uid == 0 || user == 0) { return }
        if user == 0, status.st_uid == directory { return }
        throw EventStoreError(
            .invalid,
            message:
                "\(path) belongs to user \(status.st_uid), and not to \(user) who runs this: run it as that user, or "
                + "`chown \(user) \(quoted(path))`")
    }

    private static func link(_ path: String) -> EventStoreError {
        EventStoreError(
            .invalid,
            message:
                "\(path) is a link, and is not followed: put the file itself there, or name its directory as --data")
    }

    private static func failure(_ path: String) -> EventStoreError {
        EventStoreError(.unavailable, message: "\(path) can't be opened: \(String(cString: strerror(errno)))")
    }

    /// A path as a shell takes it.
    private static func quoted(_ path: String) -> String {
        let isPlain = path.utf8.allSatisfy {
            $0.isDigit || $0.isLetter || "/._-".utf8.contains($0)
        }
        return isPlain
            ? path : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

package import EventStore
import Glibc

extension PrivateFiles {
    /// Makes a directory and those above it, each only where there is none, and looks at it as `check` does.
    ///
    /// - Returns: its path without a slash at the end.
    /// - Throws: as `check`; `unavailable` when it can't be made.
    package static func make(_ directory: String) throws(EventStoreError) -> String {
        var path = directory.hasPrefix("/") ? "" : "."
        for name in directory.split(separator: "/") {
            path += "/" + name
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw EventStoreError(
                    .unavailable,
                    message: "the directory \(directory) can't be made: \(String(cString: strerror(errno)))")
            }
        }
        try check(path)
        return path
    }
}

import EventStore
import Glibc
import HostSystem

/// Keeps a second server off the same directory, for as long as it is held.
final class ServerLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `unavailable` when another server holds it.
    init(_ directory: String) throws(EventStoreError) {
        descriptor = try PrivateFiles.open(directory + "/serve.lock", O_RDWR | O_CREAT) ?? -1
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw EventStoreError(
                .unavailable, message: "another server runs on \(directory): stop it, or name another --data")
        }
    }

    deinit { close(descriptor) }
}

import Foundation
import Glibc
package import Testing

/// A disk of a few megabytes, in memory, that a test fills to the last byte. Only the superuser may mount one.
package final class SmallDisk: Sendable {
    package let path: String

    /// Whether this process may mount one; a container often forbids it.
    package static let isThere: Bool = {
        let path = FileManager.default.temporaryDirectory.appending(path: "ledger-disk-\(getpid())").path
        guard geteuid() == 0, mkdir(path, 0o700) == 0 else { return false }
        defer { rmdir(path) }
        guard mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0 else { return false }
        return umount2(path, Int32(MNT_DETACH)) == 0
    }()
    package static let reason = Comment(rawValue: "a disk that is full needs a process that may mount one")

    /// Mounts one in the directory of a cluster, for its server to write to.
    package init(of cluster: OwnCluster, megabytes: Int) throws {
        path = cluster.directory + "/small"
        var owner = stat()
        try #require(mkdir(path, 0o700) == 0 && stat(cluster.directory + "/data", &owner) == 0)
        try #require(
            mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m,mode=0700,uid=\(owner.st_uid),gid=\(owner.st_gid)")
                == 0)
    }

    private var ballast: String { path + "/ballast" }

    /// Takes all room that is left.
    package func fill() throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        // Down to single bytes: a page of the server is 8 KiB.
        for size in [1 << 20, 4096, 1] {
            let bytes = [UInt8](repeating: 0, count: size)
            while write(file, bytes, size) > 0 {}
        }
        #expect(errno == ENOSPC)
    }

    /// Gives the room back.
    package func free() { unlink(ballast) }

    /// Takes the disk away, whoever still has files open there.
    package func remove() { umount2(path, Int32(MNT_DETACH)) }
}

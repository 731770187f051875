import EventStore
import Foundation
import Synchronization
import Testing

/// A cluster of one test, which stops it, starts it again and sends signals to it.
package final class OwnCluster: Sendable {
    /// The directory of its socket.
    package let directory: String

    private init(_ directory: String) { self.directory = directory }

    /// Makes a cluster and starts it.
    package static func make() async throws -> OwnCluster {
        let cluster = OwnCluster(try socketDirectory("ledger-postgres"))
        try await cluster.start()
        return cluster
    }

    /// Starts it, and waits until it answers.
    package func start() async throws { try await control("start") }

    /// Stops it at once, as if the power had gone (`pg_ctl stop -m immediate`).
    package func stopAtOnce() async throws { try await control("halt") }

    /// Stops it and removes its files.
    package func remove() async throws { try await control("stop") }

    /// Sends a signal to its first process, such as `SIGSTOP`.
    package func signal(_ number: Int32) throws {
        let text = try String(contentsOfFile: "\(directory)/data/postmaster.pid", encoding: .utf8)
        kill(try #require(text.split(separator: "\n").first.flatMap { pid_t($0) }), number)
    }

    /// The database that every cluster has.
    package var database: TestDatabase { TestDatabase(name: "postgres", directory: directory) }

    private func control(_ action: String) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scripts/postgres.sh").path
        let status = await withCheckedContinuation { continuation in
            let arguments = [script, action, directory]
            Thread.detachNewThread { continuation.resume(returning: run(arguments)) }
        }
        try #require(status == 0, "postgres.sh \(action) ended with \(status)")
    }
}

/// Runs a program to its end and gives its status. Foundation's Process hangs on Linux now and then.
private func run(_ arguments: [String]) -> Int32 {
    let words = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, arguments[0], nil, nil, words, environ) == 0 else { return -1 }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status
}

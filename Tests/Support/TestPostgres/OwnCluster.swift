import Foundation
import Synchronization
import Testing

/// A cluster of one test, which stops it, starts it again and sends signals to it.
package final class OwnCluster: Sendable {
    /// The directory of its socket.
    package let directory: String

    private init(_ directory: String) { self.directory = directory }

    /// Makes a cluster and starts it. It goes with the test: its suite needs the trait `dropsDatabases`.
    package static func make() async throws -> OwnCluster {
        guard let list = TestDatabases.made else { throw TestDatabases.missing }
        let cluster = OwnCluster(try socketDirectory("ledger-postgres"))
        list.clusters.withLock { $0.append(cluster) }
        try await cluster.start()
        return cluster
    }

    /// Makes a cluster that also listens on a port of the loopback address, and shows a certificate for `localhost`
    /// there, which is its own authority: `data/server.crt`.
    package static func makeWithCertificate(port: Int) async throws -> OwnCluster {
        let cluster = try await make()
        try await cluster.stopAtOnce()
        let made = await run([
            "/bin/sh", "-ec",
            """
            cd '\(cluster.directory)/data'
            openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout server.key -out server.crt 2>/dev/null
            chmod 600 server.key
            chown --reference=postgresql.conf server.key server.crt
            echo "ssl = on\nlisten_addresses = '127.0.0.1'\nport = \(port)" >> postgresql.conf
            """,
        ])
        try #require(made == 0, "no certificate could be made")
        try await cluster.start()
        return cluster
    }

    /// Starts it, and waits until it answers.
    package func start() async throws { try await control("start") }

    /// Stops it at once, as if the power had gone (`pg_ctl stop -m immediate`).
    package func stopAtOnce() async throws { try await control("halt") }

    /// Stops it and removes its files, as the end of the test would.
    package func remove() async throws {
        if FileManager.default.fileExists(atPath: directory) { try await control("stop") }
    }

    /// Sends a signal to its first process, such as `SIGSTOP`.
    package func signal(_ number: Int32) throws {
        let text = try String(contentsOfFile: "\(directory)/data/postmaster.pid", encoding: .utf8)
        kill(try #require(text.split(separator: "\n").first.flatMap { pid_t($0) }), number)
    }

    /// Sends a signal to all of its processes, such as `SIGSTOP`: a guest that is frozen.
    package func signalAll(_ number: Int32) throws {
        let text = try String(contentsOfFile: "\(directory)/data/postmaster.pid", encoding: .utf8)
        let first = try #require(text.split(separator: "\n").first.flatMap { pid_t($0) })
        // The first one before the others, so that it makes no new ones.
        kill(first, number)
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = pid_t(name), let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                // Behind the name in brackets: the state, and the parent (proc(5)).
                let end = stat.lastIndex(of: ")"), stat[end...].split(separator: " ").dropFirst(2).first == "\(first)"
            else { continue }
            kill(pid, number)
        }
    }

    /// The database that every cluster has.
    package var database: TestDatabase { TestDatabase(name: "postgres", directory: directory) }

    private func control(_ action: String) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../scripts/postgres.sh").path
        let status = await run([script, action, directory])
        try #require(status == 0, "postgres.sh \(action) ended with \(status)")
    }
}

/// Runs a program to its end and gives its status. Foundation's Process hangs on Linux now and then.
private func run(_ arguments: [String]) async -> Int32 {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            let words = arguments.map { strdup($0) } + [nil]
            defer { for word in words { free(word) } }
            var (pid, status): (pid_t, Int32) = (0, -1)
            if posix_spawn(&pid, arguments[0], nil, nil, words, environ) == 0 {
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            }
            continuation.resume(returning: status)
        }
    }
}

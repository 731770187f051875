package import Foundation
import Synchronization
import Testing

/// A run of a program that goes on while the test does. Its output goes to files, so that nothing waits for a pipe.
package final class RunningProgram: Sendable {
    package let pid: pid_t
    private let scratch: ScratchDirectory
    private let exit = Mutex<Int32?>(nil)

    /// The program that was built beside the tests.
    package static func url(of program: String) throws -> URL {
        // The test bundle and the program stand in one products directory.
        let bundle = try #require(
            CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments.first)
        let candidates = [
            URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: program),
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appending(path: "../../../.build/debug/\(program)"),
        ]
        return try #require(
            candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) },
            "the program \(program) is not built: run swift build --build-tests first")
    }

    /// - Parameter environment: variables beside those of the tests.
    package init(path: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]) throws {
        scratch = try ScratchDirectory()
        try Data(input.utf8).write(to: URL(fileURLWithPath: scratch.path + "/input"))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, scratch.path + "/input", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, scratch.path + "/output", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, scratch.path + "/errors", O_WRONLY | O_CREAT, 0o600)
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let variables = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, path, &actions, nil, words, variables)
        try #require(result == 0, "the program could not be started: \(String(cString: strerror(result)))")
        self.pid = pid
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while waitpid(self.pid, &status, 0) < 0, errno == EINTR {}
            // A signal's number is in the low seven bits, an exit status in the next byte (wait(2)).
            exit.withLock { $0 = status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F) }
        }
    }

    package var output: String { text("output") }
    package var errors: String { text("errors") }
    package var isRunning: Bool { exit.withLock { $0 == nil } }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(scratch.path)/\(name)") ?? Data(), as: UTF8.self)
    }

    package func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for the end; gives the exit status, or the negative number of the signal that ended it.
    ///
    /// - Throws: when it has not ended after a time.
    @discardableResult
    package func waitForExit(seconds: Double = 120) async throws -> Int32 {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let status = exit.withLock({ $0 }) { return status }
            try #require(ContinuousClock.now < end, "the program did not end: \(errors)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until the errors hold a text.
    package func waitForErrors(_ text: String, seconds: Double = 120) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !errors.contains(text) {
            try #require(isRunning && ContinuousClock.now < end, "'\(text)' never came: \(errors)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// A new directory that is removed with this value.
package final class ScratchDirectory: Sendable {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "ledger-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    package var data: String { path + "/data" }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

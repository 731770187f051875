import Foundation
import Synchronization
import Testing

/// The `ledger` program that was built beside the tests, as a user runs it.
enum LedgerBinary {
    /// What a run of the program gave.
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let errors: String

        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Runs the program to its end.
    static func run(
        _ arguments: String..., input: String = "", environment: [String: String] = [:]
    ) async throws -> Outcome {
        try await run(arguments, input: input, environment: environment)
    }

    static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) async throws -> Outcome {
        let run = try RunningLedger(arguments, input: input, environment: environment)
        let status = try await run.waitForExit()
        return Outcome(status: status, output: run.output, errors: run.errors)
    }

    static func url() throws -> URL {
        // The test bundle and the program stand in one products directory.
        let bundle = try #require(
            CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments.first)
        let candidates = [
            URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "ledger"),
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../.build/debug/ledger"),
        ]
        return try #require(
            candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) },
            "the ledger binary is not built: run swift build --build-tests first")
    }
}

/// A run of the program that goes on while the test does. Its output goes to files, so that nothing waits for a pipe.
final class RunningLedger: Sendable {
    let pid: pid_t
    private let scratch: ScratchDirectory
    private let exit = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - program: another program to run, such as a shell.
    ///   - environment: variables beside those of the tests.
    init(
        _ arguments: [String], input: String = "", program: String? = nil, environment: [String: String] = [:]
    ) throws {
        scratch = try ScratchDirectory()
        try Data(input.utf8).write(to: URL(fileURLWithPath: scratch.path + "/input"))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, scratch.path + "/input", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, scratch.path + "/output", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, scratch.path + "/errors", O_WRONLY | O_CREAT, 0o600)
        let path = try program ?? LedgerBinary.url().path
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let variables = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, path, &actions, nil, words, variables)
        try #require(result == 0, "the ledger could not be started: \(String(cString: strerror(result)))")
        self.pid = pid
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while waitpid(self.pid, &status, 0) < 0, errno == EINTR {}
            // A signal's number is in the low seven bits, an exit status in the next byte (wait(2)).
            exit.withLock { $0 = status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F) }
        }
    }

    var output: String { text("output") }
    var errors: String { text("errors") }
    var isRunning: Bool { exit.withLock { $0 == nil } }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: "\(scratch.path)/\(name)") ?? Data(), as: UTF8.self)
    }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for the end; gives the exit status, or the negative number of the signal that ended it.
    ///
    /// - Throws: when it has not ended after a time.
    @discardableResult
    func waitForExit(seconds: Double = 120) async throws -> Int32 {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let status = exit.withLock({ $0 }) { return status }
            try #require(ContinuousClock.now < end, "the program did not end: \(errors)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until the errors hold a text.
    func waitForErrors(_ text: String, seconds: Double = 30) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !errors.contains(text) {
            try #require(isRunning && ContinuousClock.now < end, "'\(text)' never came: \(errors)")
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// A new directory that is removed with this value.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "ledger-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    var data: String { path + "/data" }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

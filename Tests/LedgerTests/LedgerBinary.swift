import Foundation
import Handlers
import TestPrograms

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

    /// Runs `ledger-bench` to its end, which fills a directory with a history.
    static func bench(_ arguments: String...) async throws -> Outcome {
        try await run(arguments, program: try RunningProgram.url(of: "ledger-bench").path)
    }

    static func run(
        _ arguments: [String], input: String = "", program: String? = nil, environment: [String: String] = [:]
    ) async throws -> Outcome {
        let run = try RunningLedger(arguments, input: input, program: program, environment: environment)
        let status = try await run.waitForExit()
        return Outcome(status: status, output: run.output, errors: run.errors)
    }

    static func url() throws -> URL { try RunningProgram.url(of: "ledger") }
}

typealias RunningLedger = RunningProgram

extension RunningProgram {
    /// Starts the ledger, or another program such as a shell.
    convenience init(
        _ arguments: [String], input: String = "", program: String? = nil, environment: [String: String] = [:]
    ) throws {
        try self.init(
            path: try program ?? LedgerBinary.url().path, arguments, input: input, environment: environment)
    }
}

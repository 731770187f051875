import EventStore
import Foundation
import Glibc
import HostSystem
import Logging

/// What a verb has from whoever calls it: the environment, and where it reads, prints results and tells people things.
struct Shell: Sendable {
    /// The variables of the process, read once.
    let environment: [String: String]
    /// Whether somebody at a terminal can be asked.
    var isInteractive = false
    /// Whether results go to a terminal.
    var printsOnTerminal = false
    /// Whether how far work has come is shown.
    var showsProgress = false
    /// Reads all of standard input.
    let input: @Sendable () throws -> [UInt8]
    private let output: @Sendable ([UInt8]) throws -> Void
    private let errors: @Sendable ([UInt8]) -> Void
    private let errorText: ErrorText

    /// - Parameter arguments: the words that the program was called with, without its name.
    /// - Parameter output: takes results; errors take logs and lines for people.
    init(
        _ arguments: [String], _ environment: [String: String], input: @escaping @Sendable () throws -> [UInt8],
        output: @escaping @Sendable ([UInt8]) throws -> Void, errors: @escaping @Sendable ([UInt8]) -> Void
    ) {
        (self.environment, self.input, self.output, self.errors) = (environment, input, output, errors)
        errorText = ErrorText(arguments)
    }

    /// That of this process.
    static func ofProcess(_ arguments: [String], _ environment: [String: String]) -> Shell {
        var shell = Shell(
            arguments, environment, input: { Array(try FileHandle.standardInput.readToEnd() ?? Data()) },
            output: StandardOutput.write, errors: Logs.write)
        shell.showsProgress = isatty(STDERR_FILENO) == 1
        shell.isInteractive = shell.showsProgress && isatty(STDIN_FILENO) == 1
        shell.printsOnTerminal = isatty(STDOUT_FILENO) == 1
        return shell
    }

    /// Prints a part of the results.
    ///
    /// - Throws: `OutputClosed` when nobody reads any more; a refusal when they can't be written.
    func write(_ bytes: [UInt8]) throws { try output(bytes) }

    /// Writes a line for people to standard error: all such lines are written here, so no verb can repeat a person's
    /// number in one.
    func tell(_ line: String) { errors(Array((errorText.masked("ledger: \(line)") + "\n").utf8)) }

    /// The log: JSON lines on standard error.
    ///
    /// - Parameter level: what is logged; without it what `LOG_LEVEL` of the environment says.
    /// - Parameter usual: what is logged where neither says.
    func logger(_ service: String, level: Logger.Level?, otherwise usual: Logger.Level = .info) -> Logger {
        let named = environment["LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0.lowercased()) }
        let handler = JSONLogHandler(
            service: service, logLevel: level ?? named ?? usual, now: System.now, write: errors)
        return Logger(label: service) { _ in handler }
    }

    /// Shows how far work has come.
    func progress() -> Progress { Progress(isShown: showsProgress) }

    /// Who runs this program, as events and the record of accesses name them: `operator:<user>`, of characters that are
    /// safe in an actor's name.
    var operatorName: String {
        let name = environment["SUDO_USER"] ?? environment["USER"] ?? String(getuid())
        let safe = name.unicodeScalars.filter {
            $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
        }
        let short = safe.isEmpty ? String(getuid()) : String(String.UnicodeScalarView(safe.prefix(64)))
        // Events keep it for ever: somebody's login may be a person's number.
        return "operator:\(PersonNumbers.isFound(in: short) ? PersonNumbers.masked(short) : short)"
    }
}

import ArgumentParser
import Glibc
import Handlers
import Logging
import Machine

/// The logs of this program: JSON lines on standard error.
enum Logs {
    /// Starts logging; once a process.
    ///
    /// - Parameter level: what is logged; without it what `LOG_LEVEL` of the environment says.
    /// - Parameter usual: what is logged where neither says.
    static func start(_ service: String, level: Logger.Level?, otherwise usual: Logger.Level = .info) -> Logger {
        let fromEnvironment = getenv("LOG_LEVEL").flatMap { Logger.Level(rawValue: String(cString: $0).lowercased()) }
        let level = level ?? fromEnvironment ?? usual
        LoggingSystem.bootstrap { _ in JSONLogHandler(service: service, logLevel: level, now: Machine.now) }
        return Logger(label: service)
    }

    /// The level that a word names.
    ///
    /// - Throws: what words there are.
    static func level(_ word: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: word) else {
            throw ValidationError(
                "'\(word)' is no log level: take \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }
}

private let errorText = ErrorText(Array(CommandLine.arguments.dropFirst()))

/// Writes a line for people to standard error: the one place where errors are printed, so no verb can repeat a person's
/// number in one.
func report(_ line: String) {
    let bytes = Array((errorText.masked(line) + "\n").utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

import ArgumentParser
import Logging

/// How much is logged.
struct LogOptions: ParsableArguments {
    @Option(
        help: "trace, debug, info, notice, warning, error or critical; otherwise $LOG_LEVEL.",
        transform: LogOptions.level)
    var logLevel: Logger.Level?

    /// The level that a word names.
    ///
    /// - Throws: what words there are.
    @Sendable private static func level(_ word: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: word) else {
            throw ValidationError(
                "'\(word)' is no log level: take \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }
}

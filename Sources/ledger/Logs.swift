import ArgumentParser
import Glibc
import HostSystem
import Logging
import Synchronization

/// The logs of this program: JSON lines on standard error.
enum Logs {
    /// Starts logging; once a process.
    ///
    /// - Parameter level: what is logged; without it what `LOG_LEVEL` of the environment says.
    /// - Parameter usual: what is logged where neither says.
    static func start(_ service: String, level: Logger.Level?, otherwise usual: Logger.Level = .info) -> Logger {
        let fromEnvironment = getenv("LOG_LEVEL").flatMap { Logger.Level(rawValue: String(cString: $0).lowercased()) }
        let level = level ?? fromEnvironment ?? usual
        LoggingSystem.bootstrap { _ in
            JSONLogHandler(service: service, logLevel: level, now: System.now) { writer.write($0) }
        }
        return Logger(label: service)
    }

    /// Standard error, written by a thread of its own. At the end of the program what waits has a second to be read.
    private static let writer: LogWriter = {
        atexit { Logs.flush() }
        return LogWriter(STDERR_FILENO) { count in
            let line = Mutex<[UInt8]>([])
            let log = JSONLogHandler(service: "log", logLevel: .warning, now: System.now) { bytes in
                line.withLock { $0 = bytes }
            }
            Logger(label: "log") { _ in log }.warning("dropped \(count) lines that nobody read in time")
            return line.withLock { $0 }
        }
    }()

    /// How many lines were dropped since nobody read them.
    static var droppedLines: Int { writer.droppedLines }

    /// Writes a line for people after what was logged before it.
    static func write(_ line: String) { writer.write(Array((line + "\n").utf8)) }

    private static func flush() { writer.flush(atMostMilliseconds: 1000) }

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
func report(_ line: String) { Logs.write(errorText.masked(line)) }

import Glibc
import HostSystem
import Logging
import Synchronization

/// Standard error of this process, written by a thread of its own. At the end of the program what waits has a second to
/// be read.
enum Logs {
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

    /// Writes a line, its newline included, after what was written before it.
    @Sendable static func write(_ line: [UInt8]) { writer.write(line) }

    private static func flush() { writer.flush(atMostMilliseconds: 1000) }
}

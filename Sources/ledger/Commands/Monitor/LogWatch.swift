import ArgumentParser
import EventStore
import Handlers
import HostSystem
import LogService
import Logging
import TransparencyLog

/// Looks at a log, once or again and again, and prints what changed.
struct LogWatch: Sendable {
    let monitor: Monitor
    /// Where evidence is written.
    let directory: String
    let format: OutputFormat?
    let shell: Shell
    let logger: Logger

    /// The longest pause after looks that failed.
    private static let longestMilliseconds: Int64 = 300_000
    /// How often a checkpoint is asked for that its witnesses have not signed yet, where it is looked at once.
    private static let patience = 5

    /// Looks once.
    ///
    /// - Throws: an exit code of 2 when the log does not verify, of 3 when it lacks something; a refusal.
    func lookOnce() async throws {
        var lines = LogLines(format, in: shell)
        for attempt in 1... {
            switch await look() {
            case .success(let sighting):
                try lines.show(sighting)
                try lines.finish()
                guard sighting.change == .smaller else { return }
                shell.tell("\(Self.shrunk(sighting))")
                throw ExitCode(3)
            case .failure(let failure) where failure.isUnwitnessed && attempt < Self.patience:
                // Witnesses sign a moment after the log has.
                await System.sleep(1000)
            case .failure(let failure):
                try lines.finish()
                throw end(failure)
            }
        }
    }

    /// Looks again and again, until it is told to stop.
    ///
    /// - Throws: an exit code of 2 when the log does not verify; a refusal.
    func follow(until stop: Stop, everyMilliseconds every: Int64) async throws {
        var lines = LogLines(format, in: shell)
        var (pause, hasSeen) = (every, false)
        var last: (size: Int, change: Monitor.Sighting.Change)?
        while !stop.isRequested {
            switch await look() {
            case .success(let sighting):
                (pause, hasSeen) = (every, true)
                let change = sighting.change
                if change != .same, last?.change != .smaller || last?.size != sighting.checkpoint.checkpoint.size {
                    try lines.show(sighting)
                    try lines.flush()
                    if change == .smaller { logger.error("\(Self.shrunk(sighting))") }
                }
                last = (sighting.checkpoint.checkpoint.size, change)
            case .failure(let failure) where failure.passes(afterSuccess: hasSeen):
                logger.warning("\(failure)", metadata: ["nextLookSeconds": "\(pause / 1000)"])
                await stop.sleep(milliseconds: pause)
                pause = min(pause * 2, max(Self.longestMilliseconds, every))
                continue
            case .failure(let failure):
                try lines.finish()
                throw end(failure)
            }
            await stop.sleep(milliseconds: pause)
        }
        try lines.finish()
    }

    private func look() async -> Result<Monitor.Sighting, MonitorFailure> {
        let progress = shell.progress()
        defer { progress.clear() }
        do throws(MonitorFailure) {
            return .success(try await monitor.look { progress.show($0, of: $1, "entries") })
        } catch {
            return .failure(error)
        }
    }

    private static func shrunk(_ sighting: Monitor.Sighting) -> String {
        """
        the log shows \(sighting.checkpoint.checkpoint.size) entries after it has shown \(sighting.before ?? 0): its \
        end was cut off, it was put back to an older copy, or an old copy of it is served
        """
    }

    /// What the program ends with. Evidence is on the disk before anybody hears of it.
    private func end(_ failure: MonitorFailure) -> any Error {
        switch failure {
        case .forked(let evidence):
            let digest = Hash(of: evidence.bytes).bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            let path = "\(directory)/fork-\(String(digest, radix: 16)).txt"
            do throws(EventStoreError) {
                try DurableFile(path).replace(with: evidence.bytes)
                shell.tell("\(failure); both checkpoints are in \(path)")
            } catch {
                shell.tell("\(failure); the evidence can't be written: \(error.message)")
            }
            return ExitCode(2)
        case .damaged:
            shell.tell("\(failure)")
            return ExitCode(2)
        case .missing:
            shell.tell("\(failure)")
            return ExitCode(3)
        case .unreachable, .untrusted, .mismatch: return Refusal("\(failure)")
        case .store(let error): return error
        }
    }
}

extension MonitorFailure {
    /// Whether too few witnesses have signed, as yet.
    fileprivate var isUnwitnessed: Bool {
        if case .untrusted(let cause) = self { cause.kind == .quorumMissed } else { false }
    }

    /// Whether it may be over by itself, so that the log is looked at again later. A checkpoint that is not trusted
    /// from the beginning is more likely looked at with the wrong key.
    fileprivate func passes(afterSuccess hasSeen: Bool) -> Bool {
        switch self {
        case .unreachable, .missing: true
        case .untrusted: hasSeen || isUnwitnessed
        case .store(let error): error.code == .unavailable
        case .mismatch, .damaged, .forked: false
        }
    }
}

/// Prints one line for each change of a log.
private struct LogLines {
    private var printer: Printer

    init(_ format: OutputFormat?, in shell: Shell) {
        printer = Printer(
            format ?? (shell.printsOnTerminal ? .table : .ndjson), columns: SightingRow.columns, to: shell.write)
    }

    mutating func show(_ sighting: Monitor.Sighting) throws {
        try printer.print(SightingRow(at: System.now(), sighting: sighting))
    }

    mutating func flush() throws { try printer.flush() }

    mutating func finish() throws { try printer.finish() }
}

/// What was seen of a log, and when.
private struct SightingRow: Row {
    static let columns = ["at", "origin", "change", "size", "before", "root", "witnesses"]

    let at: Timestamp
    let sighting: Monitor.Sighting

    func write(to writer: inout JSONWriter) {
        let trusted = sighting.checkpoint
        writer.object { writer in
            writer.member("at", at)
            writer.member("origin", trusted.checkpoint.origin)
            writer.member("change", sighting.change.rawValue)
            writer.member("size", trusted.checkpoint.size)
            writer.member("before", sighting.before)
            writer.member("root", trusted.checkpoint.root)
            writer.key("witnesses")
            writer.array { for witness in trusted.witnesses { $0.string(witness.key.name) } }
        }
    }
}

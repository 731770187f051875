import ArgumentParser
import EventStore
import Handlers
import HostSystem
import LogService
import Logging
import SQLiteEngine
import TransparencyLog

/// `ledger monitor`: follows a log from outside and finds forks.
struct MonitorCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Follows a log from another machine and checks all that it shows.",
        discussion: """
            Each checkpoint has to go on from the one before; each new entry has to be the one that was signed, the \
            next version of its appointment, and name the hash of the version before. What was seen is kept in --data, \
            so that the next run goes on from there. One line is printed for each change. It ends with 2 when the log \
            does not verify; two checkpoints that contradict each other are written to a file in --data. With --once \
            it ends with 0 when all holds, with 3 when the log lacks something or is smaller than before, and with 1 \
            when it could not look.

            EXAMPLES
              ledger monitor https://ledger.example.org/ledger --key VKEY --data ./seen
              ledger monitor file:///srv/published --key VKEY --data ./seen --once
              ledger monitor https://log.example.net --policy logs.txt --data ./other --opaque
            """)

    @Argument(help: "The log's prefix: http://, https:// or file://; `checkpoint` and `tile` stand below it.")
    var url: String
    @Option(help: "The log's verifier key, as `ledger checkpoint key` prints it.") var key: String?
    @Option(help: "A file that says which logs and witnesses are trusted (C2SP tlog-policy).") var policy: String?
    @Option(help: "The directory for what was seen.") var data: String
    @Flag(help: "Look once and end.") var once = false
    @Flag(help: "Check the hashes of entries alone: for logs of other things than appointments.") var opaque = false
    @Option(help: "Seconds between two looks.") var every = 10
    @Option(help: "A file with an API key, which is sent to the server as X-API-Key.") var apiKeyFile: String?
    @Option(help: "How results are printed; otherwise a table on a terminal, ndjson on a pipe.")
    var format: OutputFormat?
    @OptionGroup var log: LogOptions

    func validate() throws {
        guard (key == nil) != (policy == nil) else { throw ValidationError("name one of --key and --policy") }
        guard (1...86_400).contains(every) else { throw ValidationError("--every is 1 to 86400 seconds") }
        if data.isEmpty { throw ValidationError("--data is empty: name a directory") }
        _ = try source(apiKey: nil)
    }

    func run(in shell: Shell) async throws {
        let logger = shell.logger("ledger-monitor", level: log.logLevel, otherwise: .notice)
        let trust = try trust()
        let source = try source(apiKey: try apiKey())
        let directory = try PrivateFiles.make(data)
        let lock = try ServerLock(directory)
        defer { withExtendedLifetime(lock) {} }
        let store = SQLiteMonitorStore(try SideFile(.monitor, path: directory + "/monitor.sqlite"))
        let watch = LogWatch(
            monitor: Monitor(source, policy: trust, store: store, isOpaque: opaque), directory: directory,
            format: format, shell: shell, logger: logger)
        if once { return try await watch.lookOnce() }
        let every = Int64(every) * 1000
        try await Farewell.run(
            [UntilStopped { try await watch.follow(until: $0, everyMilliseconds: every) }], logger)
    }

    private func trust() throws -> TrustPolicy {
        if let policy { return try TrustPolicy.read(policy) }
        do throws(TransparencyError) {
            return TrustPolicy(log: try VerifierKey(key ?? ""))
        } catch {
            throw ValidationError("--key: \(error.message)")
        }
    }

    private func apiKey() throws -> String? {
        guard let apiKeyFile else { return nil }
        let bytes = try GivenFile.bytes(apiKeyFile, limit: 4096)
        guard let line = bytes.split(separator: UInt8(ascii: "\n")).first,
            line.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw Refusal("\(apiKeyFile) does not hold an API key on its first line") }
        return String(decoding: line, as: UTF8.self)
    }

    private func source(apiKey: String?) throws -> any LogSource {
        if url.hasPrefix("file:///") { return LogFolder(path: String(url.dropFirst(7))) }
        guard let address = HTTPTarget.Address(url) else {
            throw ValidationError("'\(url)' is no address of a log: write http://, https:// or file:/// and a path")
        }
        return LogServer(address, apiKey: apiKey)
    }
}

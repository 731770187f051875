import ArgumentParser
import EventStore
import Foundation
import HostSystem

/// Figures of this machine, one JSON line a case.
@main
struct LedgerBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger-bench",
        abstract: "Measures the ledger on this machine; prints one JSON line a case.",
        discussion: """
            Use a release build on a quiet machine. `limitPerSecond` is what SQLite does by itself in the same run: \
            plain SQL, group commit, the same number of clients, and none of a ledger's work. Of a rebuild it is one \
            statement that makes the rows, of a verification a scan that hashes each entry on one thread. Of the \
            filling of a mirror it is what PostgreSQL does: the rows copied by INSERT SELECT, and their indexes.

            EXAMPLES
              ledger-bench append --clients 16 --events 100000
              ledger-bench lifecycle
              ledger-bench http --clients 64
              ledger-bench rebuild --events 1000000
              ledger-bench verify --events 1000000 --history ./million
              ledger-bench log --events 1000000
              ledger-bench http --countries postgresql://me@/scratch?host=/run/postgresql
              ledger-bench mirror --events 1000000 --mirror postgresql://me@/scratch?host=/run/postgresql
            """)

    enum Case: String, CaseIterable, ExpressibleByArgument {
        case append, lifecycle, fold, http, rebuild, verify, log, replay, mirror, audit
    }

    @Argument(help: "What to measure.") var measured: Case
    @Option(help: "How many events are written or read.") var events = 100_000
    @Option(help: "How many clients work concurrently.") var clients = 16
    @Option(help: "http: a migrated PostgreSQL database to hold the countries' slots; it is filled with demo slots.")
    var countries: String?
    @Option(help: "mirror, audit: a migrated PostgreSQL database whose mirror is empty; the events stay in it.")
    var mirror: String?
    @Option(help: "A directory on the disk to measure; the files are removed afterwards.") var scratch = "."
    @Option(
        help: """
            rebuild, verify, log, replay: a directory that keeps the history, to be measured again and to be opened by \
            other commands with --data; it is filled when it is empty.
            """)
    var history: String?

    func validate() throws {
        guard (4...50_000_000).contains(events) else { throw ValidationError("--events is 4 to 50000000") }
        if [.mirror, .audit].contains(measured), mirror == nil {
            throw ValidationError("--mirror names the database of the mirror: make it, and `ledger migrate up`")
        }
        guard (1...1024).contains(clients) else { throw ValidationError("--clients is 1 to 1024") }
    }

    static func main() async {
        StandardStreams.hold()
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // A history that is kept is opened by `ledger`, which wants it to be its owner's alone.
        umask(0o077)
        do {
            let command = try parse()
            try await command.run()
        } catch {
            if exitCode(for: error) == .success { exit(withError: error) }
            report(error is BenchError || error is EventStoreError ? "\(error)" : message(for: error))
            Foundation.exit(1)
        }
    }

    func run() async throws {
        let directory = try ScratchDirectory(in: scratch)
        let bench = StoreBench(directory: directory.path, events: events, clients: clients)
        if let history { try FileManager.default.createDirectory(atPath: history, withIntermediateDirectories: true) }
        let history = HistoryBench(directory: history ?? directory.path, events: events)
        switch measured {
        case .append: try await bench.append()
        case .lifecycle: try await bench.lifecycle()
        case .fold: try await bench.fold()
        case .rebuild: try await history.rebuild()
        case .verify: try await history.verify()
        case .log: try await LogBench(history: history, clients: clients).run()
        case .replay: try await history.replay()
        case .mirror: try await MirrorBench(history: history, url: mirror ?? "").mirror()
        case .audit: try await MirrorBench(history: history, url: mirror ?? "").audit()
        case .http:
            try await HTTPBench(directory: directory.path, requests: events, clients: clients, countries: countries)
                .run()
        }
    }
}

import ArgumentParser
import EventStore
import Logging

/// What every verb takes.
struct SharedOptions: ParsableArguments {
    /// Where a ledger runs.
    enum Engine: String, CaseIterable, ExpressibleByArgument { case embedded, aws }

    @Option(help: "The embedded ledger's directory.") var data = "./data"
    @Option(help: "Where the ledger is: embedded in --data, or on aws as the environment says.")
    var engine = Engine.embedded
    @Option(help: "How results are printed; otherwise a table on a terminal, ndjson on a pipe.")
    var format: OutputFormat?
    @OptionGroup var log: LogOptions

    func validate() throws {
        if data.isEmpty { throw ValidationError("--data is empty: name a directory, or leave it out for ./data") }
        // SQLite would take it for a URL, and the directory for a part of one.
        if data.lowercased().hasPrefix("file:") {
            throw ValidationError("--data is a directory and no URL: for one of this name write --data ./\(data)")
        }
    }

    /// Opens the ledger that the options name.
    ///
    /// - Parameter logger: the log of a program that goes on; otherwise that of a verb.
    func open(
        in shell: Shell, _ creation: Ledger.Creation = .refuse, logger: Logger? = nil
    ) async throws(EventStoreError) -> Ledger {
        let logger = logger ?? self.logger(in: shell)
        return switch engine {
        case .embedded: try await .embedded(data, creation, in: shell, logger)
        case .aws: try await .onAWS(in: shell, logger)
        }
    }

    /// The log of a verb that ends soon: warnings, unless the user wants more.
    func logger(in shell: Shell) -> Logger { shell.logger("ledger", level: log.logLevel, otherwise: .warning) }

    /// Opens the ledger for an auditor, whose answers come from the mirror where there is one.
    ///
    /// - Throws: as `open`; `invalid` when the mirror's schema is not this program's.
    func openForAuditor(in shell: Shell) async throws(EventStoreError) -> Ledger {
        let ledger = try await open(in: shell)
        try await ledger.checkMirrorForReading(shell)
        return ledger
    }

    /// A printer in the format that the user chose.
    ///
    /// - Parameter usual: the format where none was chosen; a table on a terminal and ndjson elsewhere unless given.
    func printer(_ columns: [String], in shell: Shell, otherwise usual: OutputFormat? = nil) -> Printer {
        Printer(format ?? usual ?? (shell.printsOnTerminal ? .table : .ndjson), columns: columns, to: shell.write)
    }

    /// Prints all results.
    func print<Result: Row>(_ rows: some Sequence<Result>, columns: [String] = Result.columns, in shell: Shell) throws {
        var printer = printer(columns, in: shell)
        for row in rows { try printer.print(row) }
        try printer.finish()
    }
}

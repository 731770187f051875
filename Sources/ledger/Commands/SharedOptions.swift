import ArgumentParser
import EventStore
import Logging
import Projections
import Replay

/// Where a ledger runs.
enum EngineName: String, CaseIterable, ExpressibleByArgument {
    case embedded
    case aws
}

/// What every verb takes.
struct SharedOptions: ParsableArguments {
    @Option(help: "The embedded ledger's directory.") var data = "./data"
    @Option(help: "The engine to work on; this build has the embedded one.") var engine = EngineName.embedded
    @Option(help: "How results are printed; otherwise a table on a terminal, ndjson on a pipe.")
    var format: OutputFormat?
    @Option(
        help: "trace, debug, info, notice, warning, error or critical; otherwise $LOG_LEVEL.",
        transform: Logs.level)
    var logLevel: Logger.Level?

    func validate() throws {
        if engine == .aws { throw ValidationError("--engine aws is not in this build: take --engine embedded") }
    }

    /// Opens the ledger that the options name.
    func open(_ creation: Embedded.Creation = .refuse) async throws -> Embedded {
        _ = Logs.start("ledger", level: logLevel, otherwise: .warning)
        return try await Embedded.open(data, creation)
    }

    /// A printer in the format that the user chose.
    ///
    /// - Parameter usual: the format where none was chosen; a table on a terminal and ndjson elsewhere unless given.
    func printer(_ columns: [String], otherwise usual: OutputFormat? = nil) -> Printer {
        Printer(format ?? usual ?? (StandardOutput.isTerminal ? .table : .ndjson), columns: columns)
    }
}

/// Whose eyes the result is for.
struct PersonOptions: ParsableArguments {
    @Flag(help: "Show insured ids whole instead of as ***23.") var showInsured = false

    var display: PersonDisplay { showInsured ? .whole : .masked }
}

/// A verb could not do what it was asked, for a reason that the user can mend.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

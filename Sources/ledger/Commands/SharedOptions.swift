import Appointments
import ArgumentParser
import HostSystem
import Logging
import Replay

/// Where a ledger runs.
enum EngineName: String, CaseIterable, ExpressibleByArgument {
    case embedded
    case aws
}

/// What every verb takes.
struct SharedOptions: ParsableArguments {
    @Option(help: "The embedded ledger's directory.") var data = "./data"
    @Option(help: "Where the ledger is: embedded in --data, or on aws as the environment says.")
    var engine = EngineName.embedded
    @Option(help: "How results are printed; otherwise a table on a terminal, ndjson on a pipe.")
    var format: OutputFormat?
    @Option(
        help: "trace, debug, info, notice, warning, error or critical; otherwise $LOG_LEVEL.",
        transform: Logs.level)
    var logLevel: Logger.Level?

    func validate() throws {
        if data.isEmpty { throw ValidationError("--data is empty: name a directory, or leave it out for ./data") }
        // SQLite would take it for a URL, and the directory for a part of one.
        if data.lowercased().hasPrefix("file:") {
            throw ValidationError("--data is a directory and no URL: for one of this name write --data ./\(data)")
        }
    }

    /// Opens the ledger that the options name.
    func open(_ creation: Embedded.Creation = .refuse) async throws -> OpenLedger {
        _ = Logs.start("ledger", level: logLevel, otherwise: .warning)
        switch engine {
        case .embedded: return OpenLedger(try await Embedded.open(data, creation))
        case .aws: return OpenLedger(try await Remote.open(System.environment))
        }
    }

    /// Opens the ledger for an auditor, whose answers come from the mirror where there is one.
    ///
    /// - Throws: as `open`; `invalid` when the mirror's schema is not this program's.
    func openForAuditor() async throws -> OpenLedger {
        let ledger = try await open()
        try await ledger.mirror?.checkForReading(ledger.store)
        return ledger
    }

    /// - Throws: a refusal on AWS, with what to do there.
    func requireEmbedded(_ instead: String) throws {
        if engine == .aws { throw Refusal(instead) }
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

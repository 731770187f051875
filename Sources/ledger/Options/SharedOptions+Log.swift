import ArgumentParser
import EventStore
import LogService
import TransparencyLog

extension SharedOptions {
    /// Opens the embedded ledger with its log.
    ///
    /// - Throws: a refusal on AWS.
    func openLog(in shell: Shell) async throws -> (ledger: Ledger, log: EmbeddedLog) {
        let ledger = try await open(in: shell)
        guard case .embedded(let files) = ledger.engine else {
            throw Refusal("the log is signed where the ledger is embedded: leave out --engine aws")
        }
        return (ledger, files.log)
    }

    /// Opens the embedded ledger with its log, which was begun, and the last checkpoint of that.
    ///
    /// - Throws: a refusal where there is none yet.
    func openSigned(in shell: Shell) async throws -> (ledger: Ledger, log: SignedLog, last: SignedCheckpoint) {
        let (ledger, log) = try await openLog(in: shell)
        guard let log = try await log.begun(), let last = try await log.served.last() else {
            throw Refusal(
                "no checkpoint was signed yet: `ledger serve` signs them, and `ledger checkpoint sign` signs one now")
        }
        return (ledger, log, last)
    }

    /// Prints how a log stands to its last checkpoint.
    ///
    /// - Throws: exit code 2 where that is wrong.
    func show(_ standing: LogStanding, of log: SignedLog, in shell: Shell) async throws {
        let last = standing.state == .damaged || standing.state == .foreign ? nil : try await log.served.last()
        try print([ShownStanding(origin: log.signer.key.name, standing: standing, last: last)], in: shell)
        guard standing.isAlarm else { return }
        shell.tell(standing.problem ?? standing.state.rawValue)
        throw ExitCode(2)
    }
}

/// How a log stands to its last checkpoint, as it is shown.
private struct ShownStanding: FieldRow {
    static let fields: Fields = [
        "origin": { $0.origin }, "state": { $0.standing.state.rawValue }, "size": { $0.standing.size },
        "signed": { $0.standing.signed }, "root": { $0.last?.checkpoint.root },
        "signatures": { $0.last?.note.signatures.count }, "problem": { $0.standing.problem },
    ]
    static let hidden: Set<String> = ["signatures", "problem"]

    let origin: String
    let standing: LogStanding
    let last: SignedCheckpoint?
}

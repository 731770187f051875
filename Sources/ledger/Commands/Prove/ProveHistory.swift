import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import LogService
import TransparencyLog

/// `ledger prove history`.
struct ProveHistory: Verb {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Proves which events an appointment has, and that it has no others.",
        discussion: """
            Of an appointment without events it proves that there is none. Events that came after the last \
            checkpoint are not in it: `ledger checkpoint sign` signs them.

            EXAMPLE
              ledger prove history 01a20eb6-7f19-7b9d-981d-8314088a3df2 -o history.json
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @OptionGroup var output: ProofOutput
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let (ledger, log, last) = try await options.openSigned(in: shell)
        let proof = try await log.served.history(of: id.stream, at: last)
        try await ledger.trail.record(
            AccessRecord(to: id, by: shell.operatorName, rows: proof.items.count, at: System.now()))
        try output.write(proof.bytes, in: shell)
        let size = last.checkpoint.size
        if proof.items.isEmpty { shell.tell("absent: at size \(size) the log has no event of \(id)") }
    }
}

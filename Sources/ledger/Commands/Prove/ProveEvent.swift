import API
import Appointments
import ArgumentParser
import EventStore
import HostSystem
import LogService
import TransparencyLog

/// `ledger prove event`.
struct ProveEvent: Verb {
    static let configuration = CommandConfiguration(
        commandName: "event",
        abstract: "Proves that an event is in the log.",
        discussion: """
            The proof is one of C2SP tlog-proof; the line `extra` has the entry itself.

            EXAMPLE
              ledger prove event 01a20eb6-7f19-7b9d-981d-8314088a3df2 --version 2 -o event.proof
            """)

    @Argument(help: "The appointment's id.", transform: Reading.appointment) var id: AppointmentID
    @Option(help: "Which event of the appointment: 1 is the first.") var version: Int
    @OptionGroup var output: ProofOutput
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if version < 1 { throw ValidationError("--version is 1 or more") }
    }

    func run(in shell: Shell) async throws {
        let (ledger, log, last) = try await options.openSigned(in: shell)
        guard let proof = try await log.served.proof(of: id.stream, version: version, at: last) else {
            throw Refusal(
                """
                the last checkpoint, at size \(last.checkpoint.size), covers no version \(version) of appointment \
                \(id): `ledger history` shows its versions, and `ledger checkpoint sign` signs what is new
                """)
        }
        try await ledger.trail.record(AccessRecord(to: id, by: shell.operatorName, rows: 1, at: System.now()))
        try output.write(proof.bytes, in: shell)
    }
}

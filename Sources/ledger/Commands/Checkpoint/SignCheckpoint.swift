import ArgumentParser
import EventStore
import LogService

/// `ledger checkpoint sign`.
struct SignCheckpoint: Verb {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Signs a checkpoint now, if the log has grown; exits with 2 when it must not be signed.",
        discussion: """
            Where no log was begun yet it makes the key, log.key in the ledger's directory, and so fixes the origin.

            EXAMPLES
              ledger checkpoint sign
              ledger checkpoint sign --origin clinic.example/appointments
            """)

    @Option(help: "What a log that begins now is called, such as clinic.example/appointments.") var origin: String?
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let log = try await options.openLog(in: shell).log.begin(origin: origin)
        try await options.show(try await log.checkpointer.sign(), of: log, in: shell)
    }
}

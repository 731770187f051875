import ArgumentParser
import EventStore
import LogService
import TransparencyLog

/// `ledger checkpoint show`.
struct ShowCheckpoint: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows the last checkpoint, and how the log stands to it; exits with 2 when that is wrong.",
        discussion: """
            The states: signed (of the log as it is), due (the log has grown since), empty (nothing to sign yet); \
            and, with exit code 2, cut-off (the log is smaller than its checkpoint), forked (it does not go on \
            from it), damaged and foreign (the checkpoint, or its key, is not the one that was there).

            EXAMPLES
              ledger checkpoint show
              ledger checkpoint show --note
            """)

    @Flag(help: "Print the signed note itself, as it is served.") var note = false
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        if note {
            let (_, _, last) = try await options.openSigned(in: shell)
            return try shell.write(last.note.bytes)
        }
        let (_, log) = try await options.openLog(in: shell)
        guard let signed = try await log.begun() else {
            throw Refusal("no log was begun yet: `ledger serve` begins it, and so does `ledger checkpoint sign`")
        }
        try await options.show(try await signed.checkpointer.standing(), of: signed, in: shell)
    }
}

import ArgumentParser
import EventStore
import TransparencyLog

/// `ledger checkpoint key`.
struct ShowLogKey: Verb {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Prints the key that the log's signatures are checked with.",
        discussion: """
            Give it to auditors by another way than the log itself: they name it as --key.

            EXAMPLE
              ledger checkpoint key
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        guard let log = try await options.openLog(in: shell).log.begun() else {
            throw Refusal("no log was begun yet: `ledger serve` begins it, and so does `ledger checkpoint sign`")
        }
        try shell.write(Array("\(log.signer.key)\n".utf8))
    }
}

import ArgumentParser
import EventStore

/// `ledger keys create`.
struct CreateKey: Verb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes the first key of a holder and prints its secret, this once.",
        discussion: """
            Roles: intake asks and reads a person's own; operator reads every list and the metrics; auditor reads \
            histories and the audit log without seeing persons; admin may all.

            EXAMPLE
              ledger keys create --name front-desk --role intake
            """)

    @Option(help: "Names the holder in events: 1 to 64 of a-z, 0-9, '.', '_' and '-'.") var name: String
    @Option(help: "intake, operator, auditor or admin.", transform: Reading.role) var role: Role
    @OptionGroup var options: SharedOptions

    func validate() throws {
        let allowed = "abcdefghijklmnopqrstuvwxyz0123456789._-".utf8
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(allowed.contains) else {
            throw ValidationError("--name is 1 to 64 of a-z, 0-9, '.', '_' and '-'")
        }
        guard !PersonNumbers.isFound(in: name) else {
            throw ValidationError(
                "--name has five digits in a row, which may be a person's number: choose another name")
        }
    }

    func run(in shell: Shell) async throws {
        // Whether a new ledger gets demo slots is the server's to say: a key is made before the first `serve`.
        let ledger = try await options.open(in: shell, .create(demoSlots: false))
        try await NewKey.make(in: ledger, options, shell) { .create(name: name, role: role, digest: $0) }
    }
}

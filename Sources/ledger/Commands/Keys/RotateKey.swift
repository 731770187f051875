import ArgumentParser
import EventStore

/// `ledger keys rotate`.
struct RotateKey: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Makes another secret for a holder and prints it, this once; the one before goes on.",
        discussion: """
            Give the new secret to who uses it, then end the older one. At most two secrets of a holder are live.

            EXAMPLE
              ledger keys rotate front-desk
              ledger keys revoke front-desk --older
            """)

    @Argument(help: "The holder's name.") var name: String
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        try await NewKey.make(in: ledger, options, shell) { .rotate(name: name, digest: $0) }
        if try await ledger.apiKeys.list().count(where: { $0.name == name && $0.isLive }) > 1 {
            shell.tell("the secret before it goes on until `ledger keys revoke \(name) --older`")
        }
    }
}

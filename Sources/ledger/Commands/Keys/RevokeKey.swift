import ArgumentParser
import EventStore
import HostSystem

/// `ledger keys revoke`.
struct RevokeKey: Verb {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Ends a holder's keys for good; a running server refuses them within a second.",
        discussion: """
            All of them, unless --older or --id names one. It asks on a terminal, and needs --yes elsewhere.

            EXAMPLES
              ledger keys revoke front-desk
              ledger keys revoke front-desk --older
              ledger keys revoke front-desk --id gdbtkprm
            """)

    @Argument(help: "The holder's name.") var name: String
    @Flag(help: "End the older of two secrets alone.") var older = false
    @Option(help: "End the one with this id alone, as `ledger keys list` shows it.") var id: String?
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if older, id != nil { throw ValidationError("take one of --older and --id") }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let selection = id.map(KeyCommand.Selection.id) ?? (older ? .older : .all)
        let what = id.map { "the key \($0)" } ?? (older ? "the older key" : "every key")
        try consent.ask("\(what) of '\(name)' will be refused for ever", in: shell)
        let records = try await ledger.apiKeys.carryOut(
            .revoke(name: name, selection), by: shell.operatorName, at: System.now())
        let ids = records.compactMap { $0.digest.map(APIKey.id(of:)) }.joined(separator: ", ")
        shell.tell("revoked of '\(name)': \(ids)")
    }
}

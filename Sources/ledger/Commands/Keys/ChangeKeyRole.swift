import ArgumentParser
import EventStore
import HostSystem

/// `ledger keys role`.
struct ChangeKeyRole: Verb {
    static let configuration = CommandConfiguration(
        commandName: "role", abstract: "Gives a holder's live keys another role.",
        discussion: """
            A running server goes by it within a second.

            EXAMPLE
              ledger keys role front-desk --role operator
            """)

    @Argument(help: "The holder's name.") var name: String
    @Option(help: "intake, operator, auditor or admin.", transform: Reading.role) var role: Role
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        let records = try await ledger.apiKeys.carryOut(
            .setRole(name: name, role: role), by: shell.operatorName, at: System.now())
        shell.tell("\(name) \(records.isEmpty ? "had" : "has") the role \(role.rawValue)")
    }
}

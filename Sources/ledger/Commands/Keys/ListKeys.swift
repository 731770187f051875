import ArgumentParser
import EventStore

/// `ledger keys list`.
struct ListKeys: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the keys, without their secrets.",
        discussion: """
            EXAMPLE
              ledger keys list
            """)

    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        try options.print(try await options.open(in: shell).apiKeys.list(), in: shell)
    }
}

extension APIKey: FieldRow {
    static let fields: Fields = [
        "name": { $0.name }, "role": { $0.role.rawValue }, "id": { $0.id },
        "state": { $0.isLive ? "live" : "revoked" }, "createdAt": { $0.createdAt }, "revokedAt": { $0.revokedAt },
    ]
}

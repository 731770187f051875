import ArgumentParser
import EventStore
import Handlers
import Machine

/// `ledger keys`: who may use the API.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes, lists and revokes API keys.",
        discussion: """
            EXAMPLES
              ledger keys create --name front-desk --role intake
              ledger keys revoke front-desk
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    private static let columns = ["name", "role", "createdAt", "revokedAt"]

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints its secret, this once.",
            discussion: """
                Roles: intake asks and reads a person's own; operator reads every list; auditor reads \
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
        }

        func run() async throws {
            // Whether a new ledger gets demo slots is the server's to say: a key is made before the first `serve`.
            let ledger = try await options.open(.create(demoSlots: false))
            let secret = "ldg_" + Base64.encodeURLSafe(Machine.random(32))
            let key = APIKey(name: name, role: role, createdAt: Machine.now())
            try await ledger.apiKeys.add(key, digest: Hash(of: Array(secret.utf8)))
            var printer = options.printer(["name", "role", "secret"])
            try printer.row { writer in
                writer.object {
                    $0.member("name", name)
                    $0.member("role", role.rawValue)
                    $0.member("secret", secret)
                }
            }
            try printer.finish()
            report("ledger: keep the secret now, it is not stored; send it as X-API-Key")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the keys, without their secrets.",
            discussion: """
                EXAMPLE
                  ledger keys list
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let keys = try await options.open().apiKeys.list()
            var printer = options.printer(KeysCommand.columns)
            for key in keys {
                try printer.row { writer in
                    writer.object {
                        $0.member("name", key.name)
                        $0.member("role", key.role.rawValue)
                        $0.member("createdAt", key.createdAt)
                        $0.member("revokedAt", key.revokedAt)
                    }
                }
            }
            try printer.finish()
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a key for good; a running server refuses it within two seconds.",
            discussion: """
                It asks on a terminal, and needs --yes elsewhere.

                EXAMPLE
                  ledger keys revoke front-desk
                """)

        @Argument(help: "The key's name.") var name: String
        @OptionGroup var consent: ConsentOptions
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            try consent.ask("the key '\(name)' will be refused for ever")
            guard try await ledger.apiKeys.revoke(name, at: Machine.now()) else {
                throw Refusal("no key named '\(name)' is in force: `ledger keys list` shows all")
            }
            report("ledger: the key '\(name)' is revoked; `ledger keys list` shows it")
        }
    }
}

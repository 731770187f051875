import ArgumentParser
import EventStore
import HostSystem

/// `ledger keys`: who may use the API.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes, rotates, lists and revokes API keys.",
        discussion: """
            A key belongs to a holder, who is named once and for ever: events name their actor by the holder, and an \
            Idempotency-Key is the holder's, whichever secret it comes with. Each change is recorded; `ledger verify` \
            compares the keys with the records.

            EXAMPLES
              ledger keys create --name front-desk --role intake
              ledger keys rotate front-desk
              ledger keys revoke front-desk --older
            """,
        subcommands: [Create.self, Rotate.self, ChangeRole.self, List.self, Records.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes the first key of a holder and prints its secret, this once.",
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

        func run() async throws {
            // Whether a new ledger gets demo slots is the server's to say: a key is made before the first `serve`.
            let ledger = try await options.open(.create(demoSlots: false))
            try await KeysCommand.makeSecret(ledger, options) { .create(name: name, role: role, digest: $0) }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes another secret for a holder and prints it, this once; the one before goes on.",
            discussion: """
                Give the new secret to who uses it, then end the older one. At most two secrets of a holder are live.

                EXAMPLE
                  ledger keys rotate front-desk
                  ledger keys revoke front-desk --older
                """)

        @Argument(help: "The holder's name.") var name: String
        @OptionGroup var options: SharedOptions

        func run() async throws {
            let ledger = try await options.open()
            try await KeysCommand.makeSecret(ledger, options) { .rotate(name: name, digest: $0) }
            if try await ledger.apiKeys.list().count(where: { $0.name == name && $0.isLive }) > 1 {
                report("ledger: the secret before it goes on until `ledger keys revoke \(name) --older`")
            }
        }
    }

    struct ChangeRole: AsyncParsableCommand {
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

        func run() async throws {
            let ledger = try await options.open()
            let records = try await ledger.apiKeys.carryOut(
                .setRole(name: name, role: role), by: Operator.name, at: System.now())
            report("ledger: \(name) \(records.isEmpty ? "had" : "has") the role \(role.rawValue)")
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
            var printer = options.printer(["name", "role", "id", "state", "createdAt", "revokedAt"])
            for key in keys {
                try printer.row { writer in
                    writer.object {
                        $0.member("name", key.name)
                        $0.member("role", key.role.rawValue)
                        $0.member("id", key.id)
                        $0.member("state", key.isLive ? "live" : "revoked")
                        $0.member("createdAt", key.createdAt)
                        $0.member("revokedAt", key.revokedAt)
                    }
                }
            }
            try printer.finish()
        }
    }

    struct Records: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists every change of a key: when, by whom, and what.",
            discussion: """
                EXAMPLE
                  ledger keys records
                """)

        @OptionGroup var options: SharedOptions

        func run() async throws {
            let records = try await options.open().apiKeys.records()
            var printer = options.printer(["number", "at", "by", "change", "name", "role", "id"])
            for stored in records {
                guard let record = KeyRecord(fields: stored.fields) else {
                    throw Refusal("record \(stored.number) is none that this program has written: run `ledger verify`")
                }
                try printer.row { writer in
                    writer.object {
                        $0.member("number", stored.number)
                        $0.member("at", record.at)
                        $0.member("by", record.by)
                        $0.member("change", record.change.rawValue)
                        $0.member("name", record.name)
                        $0.member("role", record.role.rawValue)
                        $0.member("id", record.digest.map(APIKey.id(of:)))
                    }
                }
            }
            try printer.finish()
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
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

        func run() async throws {
            let ledger = try await options.open()
            let selection = id.map(KeyCommand.Selection.id) ?? (older ? .older : .all)
            let what = id.map { "the key \($0)" } ?? (older ? "the older key" : "every key")
            try consent.ask("\(what) of '\(name)' will be refused for ever")
            let records = try await ledger.apiKeys.carryOut(
                .revoke(name: name, selection), by: Operator.name, at: System.now())
            let ids = records.compactMap { $0.digest.map(APIKey.id(of:)) }.joined(separator: ", ")
            report("ledger: revoked of '\(name)': \(ids)")
        }
    }

    /// Makes a secret, has its digest stored, and prints it.
    private static func makeSecret(
        _ ledger: OpenLedger, _ options: SharedOptions, _ command: (Hash) -> KeyCommand
    ) async throws {
        let secret = "ldg_" + Base64.encodeURLSafe(System.random(32))
        let digest = Hash(of: Array(secret.utf8))
        let command = command(digest)
        _ = try await ledger.apiKeys.carryOut(command, by: Operator.name, at: System.now())
        let key = try await ledger.apiKeys.key(digest: digest)
        var printer = options.printer(["name", "role", "id", "secret"])
        try printer.row { writer in
            writer.object {
                $0.member("name", command.name)
                $0.member("role", key?.role.rawValue)
                $0.member("id", APIKey.id(of: digest))
                $0.member("secret", secret)
            }
        }
        try printer.finish()
        report("ledger: keep the secret now, it is not stored; send it as X-API-Key")
    }
}

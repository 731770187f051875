import EventStore
import HostSystem

/// A key that was just made, with its secret.
struct NewKey: FieldRow {
    static let fields: Fields = [
        "name": { $0.name }, "role": { $0.role?.rawValue }, "id": { APIKey.id(of: $0.digest) },
        "secret": { $0.secret },
    ]

    let name: String
    let role: Role?
    let digest: Hash
    let secret: String

    /// Makes a secret, has its digest stored, and prints it.
    static func make(
        in ledger: Ledger, _ options: SharedOptions, _ shell: Shell, _ command: (Hash) -> KeyCommand
    ) async throws {
        let secret = "ldg_" + Base64.encodeURLSafe(System.random(32))
        let digest = Hash(of: Array(secret.utf8))
        let command = command(digest)
        _ = try await ledger.apiKeys.carryOut(command, by: shell.operatorName, at: System.now())
        let role = try await ledger.apiKeys.key(digest: digest)?.role
        try options.print([NewKey(name: command.name, role: role, digest: digest, secret: secret)], in: shell)
        shell.tell("keep the secret now, it is not stored; send it as X-API-Key")
    }
}

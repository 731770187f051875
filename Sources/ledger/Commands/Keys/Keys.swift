import ArgumentParser

/// `ledger keys`: who may use the API.
struct KeysCommand: ParsableCommand {
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
        subcommands: [
            CreateKey.self, RotateKey.self, ChangeKeyRole.self, ListKeys.self, ListKeyRecords.self, RevokeKey.self,
        ])
}

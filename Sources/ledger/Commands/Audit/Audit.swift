import ArgumentParser

/// `ledger audit`: the events of all appointments, a list as it was, or who looked. It has no options of its own: the
/// parser would take them from those of `view`, which have the same names.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows the events of all appointments that match, a list as it was, or who looked at them.",
        discussion: """
            Without a word behind it, it is `ledger audit events`; see `ledger audit events --help` for the filters.

            EXAMPLES
              ledger audit --country PE --type failed --from 2026-11-24T00:00:00Z
              ledger audit --insured 00123 --format csv
              ledger audit --follow --insured - < id.txt
              ledger audit --follow
              ledger audit view status --status pending --as-of 2026-11-24T12:00:00Z
              ledger audit access --from 2026-11-24T00:00:00Z
            """,
        subcommands: [AuditEvents.self, AuditView.self, AuditAccesses.self], defaultSubcommand: AuditEvents.self)
}

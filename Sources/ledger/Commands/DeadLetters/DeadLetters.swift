import ArgumentParser

/// `ledger dlq`: what was given up.
struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "Shows dead letters and parked events; sends them round again, or gives them up.",
        discussion: """
            A letter's id is a number, a parked event's is APPOINTMENT@VERSION. Both are pointers: what they point at \
            is read again from the ledger, with today's program.

            EXAMPLES
              ledger dlq list
              ledger dlq redrive --all
              ledger dlq discard 17 --reason 'asked twice by mistake' --yes
            """,
        subcommands: [ListDeadLetters.self, ShowDeadLetter.self, RedriveDeadLetters.self, DiscardDeadLetter.self])
}

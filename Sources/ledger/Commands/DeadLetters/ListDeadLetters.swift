import ArgumentParser
import Handlers

/// `ledger dlq list`.
struct ListDeadLetters: Verb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists dead letters, oldest first, then the parked events of each projection.",
        discussion: """
            EXAMPLE
              ledger dlq list --queue appointments-pe
            """)

    @Option(help: "Only this queue.", transform: Reading.queue) var queue: QueueName?
    @Option(help: "At most so many letters.") var limit = 1000
    @OptionGroup var options: SharedOptions

    func validate() throws { try requireLetterLimit(limit) }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        var printer = options.printer(DeadLetter.columns, in: shell)
        let letters = try await ledger.deadLetters.list(queue, limit: limit + 1)
        for letter in letters.prefix(limit) { try printer.print(letter) }
        if queue == nil {
            for (name, event) in try await ledger.parked() {
                try printer.print(ParkedLetter(consumer: name, event: event))
            }
        }
        try printer.finish()
        if letters.count > limit { shell.tell("there are more letters than \(limit): name a larger --limit") }
    }
}

/// - Throws: when a number can't be a limit of letters.
func requireLetterLimit(_ limit: Int) throws {
    guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is 1 to 1000000") }
}

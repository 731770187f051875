import ArgumentParser

@main
struct Ledger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "An event-sourced ledger of medical appointments.",
        subcommands: [Bench.self])
}

import ArgumentParser
import Projections

/// `ledger projections remove`.
struct RemoveProjection: Verb {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Takes away what a detached consumer has left, or a table set beside the live one.",
        discussion: """
            EXAMPLES
              ledger projections remove appointments@1/kept --yes
              ledger projections remove replay-nightly@2810645011
            """)

    @Argument(help: "The name as `list` shows it.") var name: String
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if let set = try await ledger.viewSets.sets().first(where: { "\($0.projection)/\($0.name)" == name }) {
            try consent.ask("the table set \(name) will be dropped", in: shell)
            _ = try await ledger.viewSets.drop(set.name)
        } else if let projection = ConsumerName(name), !Ledger.consumers.contains(projection),
            try await ledger.views.names().contains(projection)
        {
            try consent.ask("the checkpoint and the parked events of \(name) will be forgotten", in: shell)
            try await ledger.views.forget(projection)
        } else {
            throw Refusal("nothing detached is called '\(name)': `ledger projections list` shows what is")
        }
        shell.tell("\(name) is gone; `ledger projections list` shows what is left")
    }
}

import ArgumentParser
import HostSystem
import Projections

/// `ledger projections pause`.
struct PauseProjection: Verb {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Holds a consumer, in a running server too, until it is resumed.",
        discussion: """
            While appointments is held the lists stand still and GET shows the past; while router is held, new \
            requests are taken in and wait.

            EXAMPLE
              ledger projections pause router
            """)

    @Argument(help: "appointments or router.", transform: Reading.consumer) var name: ConsumerName
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        try await options.open(in: shell).views.pause(name, at: System.now())
        shell.tell("\(name) is held; `ledger projections list` shows it")
    }
}

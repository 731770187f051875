import ArgumentParser
import Projections

/// `ledger projections resume`.
struct ResumeProjection: Verb {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets a consumer go on from where it was held.",
        discussion: """
            EXAMPLE
              ledger projections resume router
            """)

    @Argument(help: "appointments or router.", transform: Reading.consumer) var name: ConsumerName
    @OptionGroup var options: SharedOptions

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        guard try await ledger.views.resume(name) else {
            throw Refusal("\(name) is not held: `ledger projections list` shows who is")
        }
        // The appends write the view along again once it is up to the head; nobody else brings it there.
        let count = try await ledger.catchUp(name, options.logger(in: shell))
        let what = options.engine == .aws ? "appointments" : "events"
        let taken = count > 0 ? " and has taken in \(count) \(what)" : ""
        shell.tell("\(name) goes on\(taken); `ledger projections list` shows it")
    }
}

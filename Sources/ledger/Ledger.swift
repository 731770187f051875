import ArgumentParser
import EventStore
import Glibc

@main
struct Ledger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "An event-sourced ledger of medical appointments.",
        subcommands: [Serve.self, Bench.self])

    static func main() async {
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // What this program writes is its owner's alone: the view holds personal data in clear.
        umask(0o077)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as EventStoreError {
            report("ledger: \(error)")
            Glibc.exit(1)
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code == .success { print(text) } else { report(text) }
            Glibc.exit(code == .success ? 0 : 1)
        }
    }
}

import ArgumentParser
import EventStore
import Glibc

@main
struct Ledger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "An event-sourced ledger of medical appointments.",
        subcommands: [
            Serve.self, RequestCommand.self, HistoryCommand.self, StateCommand.self, AuditCommand.self,
            StatsCommand.self, SchedulesCommand.self, KeysCommand.self, DeadLettersCommand.self, VerifyCommand.self,
            Bench.self,
        ])

    static func main() async {
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // So is a file that may not grow: the store answers that it is unavailable.
        signal(SIGXFSZ, SIG_IGN)
        // What this program writes is its owner's alone: the view holds personal data in clear.
        umask(0o077)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch is OutputClosed {
            Glibc.exit(0)
        } catch let error as EventStoreError {
            report("ledger: \(error)")
            Glibc.exit(1)
        } catch let error as Refusal {
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

import ArgumentParser
import EventStore
import Glibc
import HostSystem

@main
struct Ledger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "An event-sourced ledger of medical appointments.",
        subcommands: [
            Serve.self, Worker.self, RequestCommand.self, HistoryCommand.self, StateCommand.self, AuditCommand.self,
            StatsCommand.self, SchedulesCommand.self, MigrateCommand.self, MirrorCommand.self,
            CountriesCommand.self, KeysCommand.self,
            DeadLettersCommand.self, VerifyCommand.self, ProjectionsCommand.self, RepairCommand.self,
            ReconcileCommand.self, RebuildCommand.self, ReplayCommand.self, DiffCommand.self, WhyCommand.self,
        ])

    static func main() async {
        StandardStreams.hold()
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
        } catch {
            if exitCode(for: error) == .success {
                print(fullMessage(for: error))
                Glibc.exit(0)
            }
            report("ledger: \(explanation(of: error))")
            Glibc.exit(1)
        }
    }

    /// What happened, in one line.
    private static func explanation(of error: any Error) -> String {
        if error is EventStoreError || error is Refusal { return oneLine("\(error)") }
        let message = oneLine(message(for: error))
        // The parser says where help is; its usage and its list of options are left to that.
        let full = fullMessage(for: error).split(separator: "\n").map { $0.drop { $0 == " " } }
        guard let help = full.last(where: { $0.hasPrefix("See '") }) else { return message }
        return message + (message.hasSuffix(".") ? " " : ". ") + help
    }

    private static func oneLine(_ text: String) -> String {
        text.split { $0.isNewline }.joined(separator: " ")
    }
}

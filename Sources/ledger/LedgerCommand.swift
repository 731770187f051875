import ArgumentParser
import EventStore
import Glibc
import HostSystem

@main
struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "An event-sourced ledger of medical appointments.",
        subcommands: [
            Serve.self, Worker.self, RequestCommand.self, HistoryCommand.self, StateCommand.self, AuditCommand.self,
            StatsCommand.self, SchedulesCommand.self, MigrateCommand.self, MirrorCommand.self,
            CountriesCommand.self, KeysCommand.self,
            DeadLettersCommand.self, VerifyCommand.self, ProjectionsCommand.self, RepairCommand.self,
            ReconcileCommand.self, RebuildCommand.self, ReplayCommand.self, DiffCommand.self, WhyCommand.self,
            WitnessCommand.self, MonitorCommand.self,
            CheckpointCommand.self, ProveCommand.self, VerifyProof.self,
        ])

    static func main() async {
        StandardStreams.hold()
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // So is a file that may not grow: the store answers that it is unavailable.
        signal(SIGXFSZ, SIG_IGN)
        // What this program writes is its owner's alone: the view holds personal data in clear.
        umask(0o077)
        let arguments = Array(CommandLine.arguments.dropFirst())
        Glibc.exit(await run(arguments, in: .ofProcess(arguments, System.environment)))
    }

    /// Carries out what the words after the program's name ask for; gives the exit code.
    static func run(_ arguments: [String], in shell: Shell) async -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            if let verb = command as? any Verb { try await verb.run(in: shell) } else { try command.run() }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch is OutputClosed {
            return 0
        } catch {
            if exitCode(for: error) == .success {
                // That nobody reads the help is no failure.
                try? shell.write(Array((fullMessage(for: error) + "\n").utf8))
                return 0
            }
            shell.tell(explanation(of: error))
            return 1
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

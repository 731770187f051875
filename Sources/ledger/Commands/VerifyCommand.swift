import ArgumentParser
import EventStore
import Replay

/// `ledger verify`: recomputes everything from the bytes.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes every hash, chain and view row from the stored bytes.",
        discussion: """
            Prints what contradicts the ledger, one row a finding, and a summary on standard error. Exit code 0: it \
            verifies; 2: it does not; 1: it could not be read.

            EXAMPLES
              ledger verify
              ledger verify --format json
            """)

    @OptionGroup var options: SharedOptions

    func run() async throws {
        let ledger = try await options.open()
        let progress = Progress()
        let verify = Verify(
            feed: ledger.store, store: ledger.store, views: ledger.views, people: ledger.people,
            progress: { progress.show($0.position, of: $0.head) })
        let result = try await verify.run()
        progress.clear()
        var printer = options.printer(["kind", "appointmentId", "version", "position", "message"])
        for finding in result.findings { try printer.row { $0.finding(finding) } }
        try printer.finish()
        let extent = "\(result.events) events, \(result.streams) appointments, \(result.rows) view rows"
        if result.isClean { return report("ledger: verified \(extent): everything holds") }
        report("ledger: \(result.findingCount) findings in \(extent)")
        throw ExitCode(2)
    }
}

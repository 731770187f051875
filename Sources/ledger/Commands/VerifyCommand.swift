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
            verifies; 2: it does not; 1: it could not be read. --chain and --views verify that part alone; --sample \
            looks at some appointments only, and proves nothing of the others.

            EXAMPLES
              ledger verify
              ledger verify --chain
              ledger verify --sample 1000
              ledger verify --format json
            """)

    @Flag(help: "Entries, their hashes, their places and their links.") var chain = false
    @Flag(help: "Every view row against the events it is made of.") var views = false
    @Option(help: "Only so many appointments, chosen by chance.") var sample: Int?
    @OptionGroup var options: SharedOptions

    private var parts: Set<Finding.Part> {
        var parts: Set<Finding.Part> = []
        if chain || !views { parts.insert(.chain) }
        if views || !chain { parts.insert(.views) }
        return parts
    }

    func validate() throws {
        if let sample, !(1...1_000_000).contains(sample) { throw ValidationError("--sample is 1 to 1000000") }
    }

    func run() async throws {
        let ledger = try await options.open()
        let progress = Progress()
        let verify = ledger.verify(parts, progress: progress)
        let result =
            if let sample { try await verify.sample(sample, random: { Int.random(in: $0) }) } else {
                try await verify.run()
            }
        progress.clear()
        var outcome: (any Error)?
        do { try show(result) } catch { outcome = error }
        let extent = "\(result.events) events, \(result.streams) appointments, \(result.rows) view rows"
        // Damage was found whether or not anybody reads the rows: `ledger verify | head` must not end well then.
        guard result.isClean else {
            report("ledger: \(result.findingCount) findings in \(extent)")
            if result.findings.contains(where: { $0.kind.isOfRows }) {
                report("ledger: `ledger repair --dry-run` shows what can be mended")
            }
            throw ExitCode(2)
        }
        if let outcome { throw outcome }
        let what = sample == nil ? "everything holds" : "what was looked at holds"
        report("ledger: verified \(extent): \(what)")
    }

    private func show(_ result: VerifyReport) throws {
        var printer = options.printer(["kind", "appointmentId", "version", "position", "message"])
        for finding in result.findings { try printer.row { $0.finding(finding) } }
        try printer.finish()
    }
}

extension Embedded {
    /// A verification of this ledger.
    func verify(_ parts: Set<Finding.Part> = Set(Finding.Part.allCases), progress: Progress) -> Verify {
        Verify(
            feed: store, store: store, views: views, people: people, parts: parts,
            progress: { progress.show($0.position, of: $0.head) })
    }
}

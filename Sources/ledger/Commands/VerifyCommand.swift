import Appointments
import ArgumentParser
import Handlers
import HostSystem
import Replay

/// `ledger verify`: recomputes everything from the bytes.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes every hash, chain and view row from the stored bytes.",
        discussion: """
            Prints what contradicts the ledger, one row a finding, and a summary on standard error. Exit code 0: it \
            verifies; 2: it does not; 3: a country's database did not answer, so its claims are not known; 1: it could \
            not be read. --store (or --chain), --views, --mirror and --countries verify that part alone; without them \
            all is verified, the mirror where one is configured. --countries compares who holds the slots with the \
            ledger, both ways. --sample looks at some appointments only, and proves nothing of the others.

            EXAMPLES
              ledger verify
              ledger verify --store
              ledger verify --mirror
              ledger verify --countries
              ledger verify --sample 1000
              ledger verify --format json
            """)

    @Flag(
        name: [.customLong("store"), .customLong("chain")],
        help: "The store: entries, their hashes, their places and their links; API keys and their records.")
    var chain = false
    @Flag(help: "Every view row against the events it is made of.") var views = false
    @Flag(help: "The mirror: every entry against the store's, and every row of it.") var mirror = false
    @Flag(help: "The claims of the countries' databases against the ledger.") var countries = false
    @OptionGroup var claims: ClaimOptions
    @Option(help: "Only so many appointments, chosen by chance.") var sample: Int?
    @OptionGroup var options: SharedOptions

    private var parts: Set<Finding.Part> {
        var parts: Set<Finding.Part> = []
        if chain { parts.insert(.chain) }
        if views { parts.insert(.views) }
        if mirror { parts.insert(.mirror) }
        if countries { parts.insert(.countries) }
        return parts.isEmpty ? Set(Finding.Part.allCases) : parts
    }

    func validate() throws {
        if let sample, !(1...1_000_000).contains(sample) { throw ValidationError("--sample is 1 to 1000000") }
        if sample != nil, mirror { throw ValidationError("--sample does not look at the mirror: leave one out") }
        if sample != nil, countries {
            throw ValidationError("--sample does not look at the countries' databases: leave one out")
        }
    }

    func run() async throws {
        let ledger = try await options.open()
        var result = try await verify(ledger)
        var away: [Country] = []
        if parts.contains(.countries), sample == nil {
            let compared = try await ledger.compareClaims(claims, isAsked: countries)
            result = parts == [.countries] ? compared.report : result.adding(compared.report)
            away = compared.away
        }
        var outcome: (any Error)?
        do { try show(result) } catch { outcome = error }
        let extent = result.extent
        // Damage was found whether or not anybody reads the rows: `ledger verify | head` must not end well then.
        guard result.isClean else {
            report("ledger: \(result.findingCount) findings in \(extent)")
            if result.findings.contains(where: { $0.kind.isMendable }) {
                report("ledger: `ledger repair --dry-run` shows what can be mended")
            }
            throw ExitCode(2)
        }
        if let outcome { throw outcome }
        if !away.isEmpty { throw ExitCode(3) }
        let what = sample == nil ? "everything holds" : "what was looked at holds"
        report("ledger: verified \(extent): \(what)")
    }

    private func verify(_ ledger: OpenLedger) async throws -> VerifyReport {
        let progress = Progress()
        defer { progress.clear() }
        let own = parts.intersection([.chain, .views])
        var result = VerifyReport(parts)
        if let sample {
            return try await ledger.verify(own, progress: progress).sample(sample, random: { Int.random(in: $0) })
        }
        if !own.isEmpty { result = try await ledger.verify(own, progress: progress).run() }
        if own.contains(.chain) { result = result.adding(try await KeyCheck(ledger.apiKeys).run()) }
        if mirror || parts == Set(Finding.Part.allCases) && ledger.mirror != nil {
            let copy = try ledger.requireMirror()
            try await copy.requireOurLedger(ledger.store)
            let found = try await MirrorCheck(
                feed: try await ledger.order(copy), mirror: copy.worker, records: [copy.trail], people: ledger.people,
                progress: { progress.show($0.position, of: $0.head) }
            ).run()
            result = own.isEmpty ? found : result.adding(found)
        }
        return result
    }

    private func show(_ result: VerifyReport) throws {
        var printer = options.printer(["kind", "appointmentId", "version", "position", "message"])
        for finding in result.findings { try printer.row { $0.finding(finding) } }
        try printer.finish()
    }
}

extension VerifyReport {
    /// What was looked at.
    fileprivate var extent: String { "\(events) events, \(streams) appointments, \(rows) view rows" }
}

/// How the claims of the countries' databases are compared.
struct ClaimOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How many seconds a failed appointment may go on holding its slot before that is a finding; 0 once nothing "
                + "is under way, such as while the server is stopped.", valueName: "seconds"))
    var patience = ClaimCheck.patienceMilliseconds / 1000

    func validate() throws {
        guard (0...86_400).contains(patience) else { throw ValidationError("--patience is 0 to 86400 seconds") }
    }
}

extension OpenLedger {
    /// A comparison of the countries' claims with this ledger.
    func claimCheck(_ options: ClaimOptions, progress: Progress) -> ClaimCheck {
        ClaimCheck(
            scan: store, store: store, countries: performer.countries, patienceMilliseconds: options.patience * 1000,
            now: System.now, progress: { progress.show($0, of: $0, "appointments compared") })
    }

    /// Compares the countries' claims with this ledger, and says what is not known.
    ///
    /// - Parameter isAsked: whether this is what was asked for, so that a country without a database is refused.
    func compareClaims(_ options: ClaimOptions, isAsked: Bool) async throws -> ClaimCheck.Report {
        if isAsked, performer.countries.isEmpty {
            throw Refusal("no country's database is configured: set RDS_URL, or RDS_HOST and its companions")
        }
        let progress = Progress()
        let compared = try await claimCheck(options, progress: progress).run()
        progress.clear()
        if compared.underWay > 0 {
            report("ledger: \(compared.underWay) slots of failed appointments are being given back")
        }
        for country in Country.allCases where performer.countries[country] == nil {
            report("ledger: no database of \(country.code) is configured: its claims were not compared")
        }
        for country in compared.away {
            report("ledger: the database of \(country.code) does not answer: its claims were not compared")
        }
        return compared
    }

    /// A verification of this ledger.
    func verify(_ parts: Set<Finding.Part> = Set(Finding.Part.allCases), progress: Progress) -> Verify {
        Verify(
            feed: store, scan: store, store: store, views: rows, checkpoints: views,
            consumers: ProjectionsCommand.known, records: records, people: people, parts: parts,
            progress: { progress.show($0.position, of: $0.head) })
    }
}

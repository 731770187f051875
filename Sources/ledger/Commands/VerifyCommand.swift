import Appointments
import ArgumentParser
import EventStore
import Replay
import TransparencyLog

/// `ledger verify`: recomputes everything from the bytes.
struct VerifyCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Recomputes every hash, chain and view row from the stored bytes.",
        discussion: """
            Prints what contradicts the ledger, one row a finding, and a summary on standard error. Exit code 0: it \
            verifies; 2: it does not; 3: a country's database did not answer, so its claims are not known; 1: it could \
            not be read. --store (or --chain), --views, --mirror and --countries verify that part alone; without them \
            all is verified, the mirror where one is configured. --countries compares who holds the slots with the \
            ledger, both ways. --sample looks at some appointments only, and proves nothing of the others.

            EXAMPLES
              ledger verify
              ledger verify --store
              ledger verify --log
              ledger verify --mirror
              ledger verify --countries
              ledger verify --sample 1000
              ledger verify --format json
            """)

    @Flag(
        name: [.customLong("store"), .customLong("chain")],
        help: "The store: entries, their hashes, their places and their links; API keys and their records.")
    var chain = false
    @Flag(help: "The tree over all entries, recomputed from their bytes.") var log = false
    @Flag(help: "Every view row against the events it is made of.") var views = false
    @Flag(help: "The mirror: every entry against the store's, and every row of it.") var mirror = false
    @Flag(help: "The claims of the countries' databases against the ledger.") var countries = false
    @OptionGroup var claims: ClaimOptions
    @Option(help: "Only so many appointments, chosen by chance.") var sample: Int?
    @OptionGroup var options: SharedOptions

    private var parts: Set<Finding.Part> {
        var parts: Set<Finding.Part> = []
        if chain { parts.insert(.chain) }
        if log { parts.insert(.log) }
        if views { parts.insert(.views) }
        if mirror { parts.insert(.mirror) }
        if countries { parts.insert(.countries) }
        return parts.isEmpty ? Set(Finding.Part.allCases) : parts
    }

    func validate() throws {
        if let sample, !(1...1_000_000).contains(sample) { throw ValidationError("--sample is 1 to 1000000") }
        if sample != nil, mirror { throw ValidationError("--sample does not look at the mirror: leave one out") }
        if sample != nil, log { throw ValidationError("--sample does not look at the tree: leave one out") }
        if sample != nil, countries {
            throw ValidationError("--sample does not look at the countries' databases: leave one out")
        }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        var result = try await verify(ledger, shell)
        var away: [Country] = []
        if parts.contains(.countries), sample == nil {
            let compared = try await ledger.compareClaims(claims, isAsked: countries, shell)
            result = parts == [.countries] ? compared.report : result.adding(compared.report)
            away = compared.away
        }
        var outcome: (any Error)?
        do { try options.print(result.findings, in: shell) } catch { outcome = error }
        let extent = result.extent
        // Damage was found whether or not anybody reads the rows: `ledger verify | head` must not end well then.
        guard result.isClean else {
            shell.tell("\(result.findingCount) findings in \(extent)")
            if result.findings.contains(where: { $0.kind.isMendable }) {
                shell.tell("`ledger repair --dry-run` shows what can be mended")
            }
            throw ExitCode(2)
        }
        if let outcome { throw outcome }
        if !away.isEmpty { throw ExitCode(3) }
        let what = sample == nil ? "everything holds" : "what was looked at holds"
        shell.tell("verified \(extent): \(what)")
    }

    private func verify(_ ledger: Ledger, _ shell: Shell) async throws -> VerifyReport {
        let progress = shell.progress()
        defer { progress.clear() }
        let own = parts.intersection([.chain, .log, .views])
        var result = VerifyReport(parts)
        if let sample {
            return try await ledger.verify(own, progress: progress).sample(sample, random: { Int.random(in: $0) })
        }
        if !own.isEmpty {
            try await tellUnfinished(ledger.tree, shell)
            let signed = own.contains(.log) ? try await ledger.lastSigned() : nil
            result = try await ledger.verify(own, signed: signed, progress: progress).run()
        }
        if log, ledger.tree == nil {
            let mirror = try ledger.requireMirror().worker
            try await tellUnfinished(mirror, shell)
            let found = try await Verify(
                feed: mirror, scan: mirror, store: mirror, views: mirror, tree: mirror, people: nil, parts: [.log],
                progress: { progress.show($0.position, of: $0.head) }
            ).run()
            result = own == [.log] ? found : result.adding(found)
        }
        if own.contains(.chain) { result = result.adding(try await KeyCheck(ledger.apiKeys).run()) }
        if mirror || parts == Set(Finding.Part.allCases) && ledger.mirror != nil {
            let copy = try ledger.requireMirror()
            try await copy.requireOurLedger(ledger.store)
            let found = try await MirrorCheck(
                feed: try await ledger.order(of: copy), mirror: copy.worker, records: [copy.trail],
                people: ledger.people,
                progress: { progress.show($0.position, of: $0.head) }
            ).run()
            result = own.isEmpty ? found : result.adding(found)
        }
        return result
    }

    /// Says so where the tree lacks events that were stored by a program without one.
    private func tellUnfinished(_ tree: (any StoredTree)?, _ shell: Shell) async throws {
        guard parts.contains(.log), let edge = try await tree?.edge(), let size = edge.frontier?.size, size < edge.head
        else { return }
        shell.tell(
            "the tree has \(size) of \(edge.head) events, and is compared that far: the server goes on with it")
    }
}

extension Finding: Row {
    static let columns = ["kind", "appointmentId", "version", "position", "message"]

    func write(to writer: inout JSONWriter) { writer.finding(self) }
}

extension VerifyReport {
    /// What was looked at.
    fileprivate var extent: String { "\(events) events, \(streams) appointments, \(rows) view rows" }
}

extension Ledger {
    /// The last checkpoint that was signed; nil where none was.
    func lastSigned() async throws(EventStoreError) -> LastSigned? {
        guard case .embedded(let files) = engine else { return nil }
        return try await LastSigned(files.log)
    }

    /// A verification of this ledger.
    ///
    /// - Parameter signed: what was signed of its tree.
    func verify(
        _ parts: Set<Finding.Part> = Set(Finding.Part.allCases), signed: (any SignedStates)? = nil, progress: Progress
    ) -> Verify {
        Verify(
            feed: store, scan: store, store: store, views: rows, checkpoints: views,
            consumers: Self.consumers, records: records, tree: tree, signed: signed, people: people, parts: parts,
            progress: { progress.show($0.position, of: $0.head) })
    }
}

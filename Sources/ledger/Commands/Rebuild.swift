import Appointments
import ArgumentParser
import EventStore
import HostSystem
import PostgresEngine
import Projections
import Replay

/// `ledger rebuild`: the views anew from the events.
struct RebuildCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Makes the views anew from the events, compares them with the live ones, and puts them in place.",
        discussion: """
            The new tables are written beside the live ones; a server on the same directory goes on. Every row that \
            differs is printed with the events that explain it, then both sets change places in one transaction. \
            The views insured, status and country are lists of one table, so they are rebuilt together. A rebuild that \
            was killed goes on where it was when the command is given again. Where rows differ and the old tables are \
            not kept, and before --rollback, it asks on a terminal and needs --yes elsewhere; --anew as well, where \
            there is something to throw away.

            --from mirror reads the events from the mirror in PostgreSQL, each checked against its hash and the one \
            before it; what the mirror lacks at its end comes from the ledger. One that keeps conflicts is refused.

            EXAMPLES
              ledger rebuild --dry-run
              ledger rebuild --from mirror --dry-run
              ledger rebuild --keep-old
              ledger rebuild --into trial
              ledger rebuild --rollback
            """)

    /// What can be rebuilt. All are lists of one table.
    enum View: String, CaseIterable, ExpressibleByArgument { case appointments, insured, status, country }

    /// Where the events are read from.
    enum Source: String, CaseIterable, ExpressibleByArgument { case store, mirror }

    @Argument(help: "The views to rebuild; all unless named.") var view: [View] = []
    @Option(help: "Where the events are read from.") var from = Source.store
    @Option(help: "Make the tables under this name, beside the live ones, where nothing reads them.")
    var into: String?
    @Flag(help: "Build and compare, change nothing.") var dryRun = false
    @Flag(help: "Keep the old tables beside the live ones, for --rollback.") var keepOld = false
    @Flag(help: "Put the tables back that --keep-old has kept, brought up to the last event.") var rollback = false
    @Flag(help: "Begin again, though a rebuild was stopped half-way, or a set of this name is there.")
    var anew = false
    @Flag(help: "Put the new tables in place though the live ones have rows that no event explains.")
    var dropUnexplained = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        if rollback, dryRun || keepOld || anew || dropUnexplained || from == .mirror {
            throw ValidationError("--rollback goes with no other option of a rebuild")
        }
        if let into {
            try Reading.requireSetName(into)
            if rollback || dryRun || keepOld || dropUnexplained {
                throw ValidationError("--into puts nothing in place: leave out what is about the live tables")
            }
        }
        if dryRun, keepOld { throw ValidationError("--dry-run puts nothing in place that --keep-old could keep") }
    }

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if rollback { return try await putBack(ledger, shell) }
        let source = try await source(ledger)
        if let into {
            return try await ledger.tryOut(into, from: source, anew: anew, consent, options, person.display, shell)
        }
        // A dry run takes nothing over from a rebuild that was killed, and throws nothing of it away.
        let name = dryRun ? ViewCopy.dryRun : ViewCopy.next
        if anew { try await ledger.throwAway(name, consent, shell) }
        let progress = shell.progress()
        let rebuild = ledger.rebuild(from: source) { progress.show($0) }
        try await rebuild.build(name, now: System.now())
        progress.clear()
        let found = try await ledger.viewSets.compare(name, limit: 1000)
        try await ledger.show(found, options, person.display, shell)
        if dryRun {
            _ = try await ledger.viewSets.drop(name)
            return shell.tell("\(found.summary); nothing was changed")
        }
        do { try ask(about: found, shell) } catch {
            tellOfLeftOver(shell)
            throw error
        }
        try await swap(rebuild, found, shell)
    }

    /// Asks before rows are lost or replaced for good.
    private func ask(about found: SetComparison, _ shell: Shell) throws {
        let lost = found.counts[.missing, default: 0] + found.further
        let changed = found.counts[.changed, default: 0]
        if lost > 0 {
            // Without the option such a swap is refused.
            if dropUnexplained { try consent.ask("\(lost) rows that no event explains will be dropped", in: shell) }
        } else if changed > 0, !keepOld {
            try consent.ask(
                "\(changed) rows will be replaced by what the events say, and the old ones are not kept", in: shell)
        }
    }

    private func swap(_ rebuild: Rebuild, _ found: SetComparison, _ shell: Shell) async throws {
        let summary = found.summary
        let kept = keepOld ? ViewCopy.kept : nil
        switch try await rebuild.swap(
            ViewCopy.next, keepingAs: kept, coversAll: !dropUnexplained, now: System.now())
        {
        case .swapped(let position):
            shell.tell("\(summary); the new tables are live, up to position \(position)")
            shell.tell("`ledger verify --views` shows that they hold" + (keepOld ? "; --rollback undoes it" : ""))
        case .uncovered(let rows):
            shell.tell(
                """
                \(summary); \(rows) rows of the live view have no events, or less than they claim: nothing \
                was changed. Look whether events were lost (`ledger verify`); if not, add --drop-unexplained
                """)
            tellOfLeftOver(shell)
            throw ExitCode(3)
        case .held(let since):
            tellOfLeftOver(shell)
            throw EventStoreError.held(ProjectionRunner.projection, since: since)
        case .behind: preconditionFailure("a swap that is behind is tried again")
        }
    }

    private func tellOfLeftOver(_ shell: Shell) {
        shell.tell(
            """
            the new tables stay beside the live ones for the next `ledger rebuild`; `ledger projections remove \
            \(ProjectionRunner.projection)/\(ViewCopy.next)` takes them away
            """)
    }

    /// What is rebuilt from. A mirror that lags will do, since the set is brought up from the ledger; but its
    /// positions have to be the ledger's.
    private func source(_ ledger: Ledger) async throws -> any StreamScan & EventFeed {
        guard from == .mirror else { return ledger.store }
        let mirror = try ledger.requireMirror()
        try await mirror.check(ledger.store, feed: ledger.feed)
        let (state, conflicts) = (try await mirror.worker.state(), try await mirror.worker.conflictCount())
        guard state.position == state.checkpoint, conflicts == 0 else {
            throw Refusal(
                """
                the mirror's positions are not the ledger's: it has come to \(state.position) having read \
                \(state.checkpoint), and keeps \(conflicts) conflicts. See `ledger verify --mirror`
                """)
        }
        return mirror.worker
    }

    private func putBack(_ ledger: Ledger, _ shell: Shell) async throws {
        guard try await ledger.viewSets.sets().contains(where: { $0.name == ViewCopy.kept }) else {
            throw Refusal("no old tables were kept: `ledger rebuild --keep-old` keeps them")
        }
        try consent.ask("the tables that were kept will take the place of the live ones", in: shell)
        let outcome = try await ledger.rebuild { _ in }.swap(
            ViewCopy.kept, keepingAs: ViewCopy.kept, coversAll: false, now: System.now())
        if case .held(let since) = outcome { throw EventStoreError.held(ProjectionRunner.projection, since: since) }
        guard case .swapped(let position) = outcome else { preconditionFailure("this swap covers what it covers") }
        shell.tell("the old tables are live again, up to position \(position)")
        shell.tell("`ledger verify --views` shows whether they hold; --rollback once more undoes it")
    }

}

extension SetComparison {
    /// How many rows differ, in words.
    fileprivate var summary: String {
        let counts = RowDifference.Kind.allCases.map { "\(self.counts[$0] ?? 0) \($0.rawValue)" }
        return "\(equal) rows equal, \(counts.joined(separator: ", "))"
    }
}

extension Ledger {
    /// Makes a table set that stands next to the live one, and says how it differs.
    ///
    /// - Throws: a refusal where a whole set has this name: it was made by the program of that day.
    func tryOut(
        _ name: String, from source: any StreamScan & EventFeed, anew: Bool, _ consent: ConsentOptions,
        _ options: SharedOptions, _ display: PersonDisplay, _ shell: Shell
    ) async throws {
        if anew { try await throwAway(name, consent, shell) }
        if let there = try await viewSets.sets().first(where: { $0.name == name }), there.position != nil {
            throw Refusal(
                """
                a table set \(there.projection)/\(name) is there already: make it again with --anew, or take another \
                name
                """)
        }
        let progress = shell.progress()
        try await rebuild(from: source) { progress.show($0) }.build(name, now: System.now())
        progress.clear()
        let found = try await viewSets.compare(name, limit: 1000)
        try await show(found, options, display, shell)
        let set = "\(ProjectionRunner.projection)/\(name)"
        shell.tell("\(found.summary); the table set \(set) is there, and nothing reads it")
        shell.tell("`ledger projections list` shows it, `ledger projections remove \(set)` takes it away")
    }

    /// Prints the rows that differ, field by field, with the events that explain them.
    fileprivate func show(
        _ found: SetComparison, _ options: SharedOptions, _ person: PersonDisplay, _ shell: Shell
    ) async throws {
        var printer = options.printer(RebuiltField.columns, in: shell)
        for difference in found.first {
            let history = try await History.read(
                difference.appointment, from: store, insured: difference.rebuilt?.insured ?? difference.live?.insured)
            let explanation = try history.map { try Explanation($0, showing: person) }
            let changes = AppointmentRow.changes(from: difference.live, to: difference.rebuilt, showing: person)
            for change in changes {
                let event = explanation?.event(of: change.name)
                try printer.print(RebuiltField(difference: difference, change: change, event: event))
            }
        }
        try printer.finish()
    }

    /// Drops a set that another run has left, if there is one.
    func throwAway(_ name: String, _ consent: ConsentOptions, _ shell: Shell) async throws {
        guard let there = try await viewSets.sets().first(where: { $0.name == name }) else { return }
        try consent.ask(
            "the table set \(there.projection)/\(name), with \(there.events) events, will be dropped", in: shell)
        _ = try await viewSets.drop(name)
    }

    /// A rebuild of the appointments view.
    ///
    /// - Parameter source: where its events are read from; the store unless given.
    func rebuild(
        from source: (any StreamScan & EventFeed)? = nil, with projection: Projection = .appointments,
        progress: @escaping @Sendable (RebuildProgress) -> Void
    ) -> Rebuild {
        Rebuild(
            scan: source ?? store, feed: source ?? store, sets: viewSets, people: people, projection: projection,
            progress: progress)
    }
}

/// A field of a row that differs between the live tables and those that were rebuilt, and the event that explains it.
private struct RebuiltField: FieldRow {
    static let fields: Fields = [
        "kind": { $0.difference.kind.rawValue }, "appointmentId": { $0.difference.appointment.description },
        "field": { $0.change.name }, "live": { $0.change.old }, "rebuilt": { $0.change.new },
        "version": { $0.event?.version }, "position": { $0.event?.position }, "type": { $0.event?.type },
    ]
    static let hidden: Set = ["version"]

    let difference: RowDifference
    let change: FieldChange
    let event: HistoryItem?
}

import Appointments
import EventStore
import Handlers
import HostSystem
import PostgresEngine
import Projections
import Replay

/// The part of `ledger repair` that concerns the mirror: says what it will do, asks, does it.
struct MirrorMending {
    let ledger: Ledger
    let mirror: Mirror
    /// Whether it leaves alone what stands at a position.
    let fillsOnly: Bool
    let isDry: Bool
    let consent: ConsentOptions
    let options: SharedOptions
    let shell: Shell

    func run() async throws {
        let state = try await mirror.worker.state()
        let feed = try await ledger.order(of: mirror)
        let standing = try await mirror.gate(mirror.worker, ledger.store).standing(state, feed: feed)
        if standing != .misplaced, let problem = standing.problem(state, of: mirror.identity) {
            throw Refusal(problem)
        }
        let head = try await feed.head()
        let behind = head - min(state.checkpoint, head)
        let planned = try await pass(over: feed, isDry: true, shows: true)
        if planned.isEmpty, behind == 0, standing != .misplaced {
            return shell.tell("there is nothing to mend in the mirror")
        }
        let entries = planned.entries.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            "\($0.key.rawValue) \($0.value)"
        }
        var moves = planned.head.map { "; its head goes back to \($0)" } ?? ""
        if standing == .misplaced { moves += "; its checkpoint is set back from \(state.checkpoint)" }
        if planned.remakesTree { moves += "; its tree is made anew" }
        let what = """
            in the mirror, entries: \(entries.isEmpty ? "none" : entries.joined(separator: ", "))\(moves); rows: \
            \(planned.rows); events to take in: \(behind)
            """
        if isDry { return shell.tell("\(what)") }
        try consent.ask(what, in: shell)
        let done = try await pass(over: feed, isDry: false, shows: false)
        let runner = ledger.runner(into: mirror, following: try await ledger.order(of: mirror))
        if standing == .misplaced {
            let position = try await mirror.worker.state().position
            try await runner.backfill(after: max(position - 1, 0), now: System.now())
        }
        while try await runner.step(now: System.now(), limit: 5000).events > 0 {}
        let count = done.entries.values.reduce(0, +)
        if done.unsettled > 0 {
            shell.tell("\(done.unsettled) rows are left as they are: the mirror holds other events of them")
        }
        shell.tell("\(count) entries and \(done.rows) rows mended; `ledger verify --mirror` shows what is left")
    }

    private func pass(over feed: any EventFeed, isDry: Bool, shows: Bool) async throws -> MirrorRepair.Outcome {
        let repair = MirrorRepair(
            feed: feed, scan: ledger.store, mirror: mirror.worker, people: ledger.people)
        let progress = shell.progress()
        defer { progress.clear() }
        var printer = options.printer(MirrorRepair.Step.columns, in: shell)
        let outcome = try await repair.run(isDry: isDry, fillsOnly: fillsOnly) { step in
            if shows { try printer.print(step) }
        } progress: {
            progress.show($0, of: $1)
        }
        try printer.finish()
        return outcome
    }
}

extension MirrorRepair.Step: FieldRow {
    static let fields: Fields = [
        "action": { $0.action.rawValue }, "position": { $0.position },
        "appointmentId": { $0.place.stream.appointment.description }, "version": { $0.place.version },
    ]
}

import ArgumentParser
import EventStore
import Handlers
import Machine
import Projections
import Replay

/// `ledger replay`: recorded events once more.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Sends recorded events out again: to standard output, the topics, the bus or an HTTP URL.",
        discussion: """
            Events are sent in the order of the log, so in order for each appointment, and each carries the id of the \
            run. topic and bus get the messages that live traffic sent because of the events; consumers that have \
            handled them find their step done. A URL gets one POST an event, with the same JSON as standard output; \
            what is not answered with 2xx is tried three times, then the replay stops there. With --resume a run \
            that was stopped goes on behind what was sent. Nothing is appended.

            EXAMPLES
              ledger replay --to bus --country PE --from 2026-11-24T00:00:00Z --dry-run
              ledger replay --to bus --country PE --from 2026-11-24T00:00:00Z --rate 50 --resume november
              ledger replay --to stdout --type failed
              ledger replay --into-new-view trial
            """)

    @Option(
        help: "stdout, topic, bus, or a URL that begins with https:// or http://.",
        transform: ReplayTarget.init(text:))
    var to: ReplayTarget?
    @Option(help: "Make the view anew from all events into a table set of this name, which is never live.")
    var intoNewView: String?
    @OptionGroup var wanted: EventOptions
    @Option(help: "Only up to this time, itself included.", transform: Reading.moment) var until: Timestamp?
    @Option(help: "At most so many events a second; without it as fast as it goes.") var rate: Int?
    @Option(help: "Remember under this name how far it came, and go on there.") var resume: String?
    @Flag(help: "Say how many events of which kind would be sent where, send nothing.") var dryRun = false
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        guard (to == nil) != (intoNewView == nil) else { throw ValidationError("name --to or --into-new-view") }
        if let from = wanted.from, let until, from > until { throw ValidationError("--from is later than --until") }
        if let rate, !(1...1_000_000).contains(rate) { throw ValidationError("--rate is 1 to 1000000") }
        if let resume { try Reading.requireName(resume) }
        if let intoNewView { try Reading.requireSetName(intoNewView) }
    }

    func run() async throws {
        let ledger = try await options.open()
        if let intoNewView {
            return try await ledger.tryOut(intoNewView, from: ledger.store, options, person.display)
        }
        guard let to else { return }
        var filter = try await wanted.query.resolved(by: ledger.views)
        filter.to = until
        let head = try await ledger.store.head()
        let run = Identifier.version4(random: (.random(in: 0 ... .max), .random(in: 0 ... .max)))
        let source = ReplaySource(
            feed: ledger.store, log: ledger.store, filter: filter,
            pageEvents: rate.map { max(min($0 / 4, 2000), 1) } ?? 2000)
        let name = resume.map { ProjectionName("replay-\($0)", number: 1) }
        var start = wanted.after
        if let name { start = max(start, try await ledger.views.checkpoint(of: name)) }
        if dryRun { return try await count(source, after: start, head, run, to, ledger) }
        let sink = try ReplaySink(to, run: run, ledger)
        let progress = Progress()
        var (pace, sent) = (Pace(rate), 0)
        try await source.each(after: start, through: head, prepare: sink.prepare) { page in
            try await sink.send(page.content)
            sent += page.events
            if let name {
                let before = try await ledger.views.checkpoint(of: name)
                let commit = ProjectionCommit(checkpoint: max(page.position, before))
                _ = try await ledger.views.commit(commit, of: name, expecting: before)
            }
            if to != .standardOutput { progress.show(page.position - start, of: head - start) }
            try await pace.wait(after: sent)
        }
        progress.clear()
        report("ledger: run \(run): \(sent) events replayed to \(to), \(sink.passedOver) passed over")
        report("ledger: \(to.hint)")
    }

    /// Says what would be sent.
    private func count(
        _ source: ReplaySource, after start: Int, _ head: Int, _ run: Identifier, _ to: ReplayTarget,
        _ ledger: OpenLedger
    ) async throws {
        let sink = try ReplaySink(to, run: run, ledger)
        var counts: [String: Int] = [:]
        try await source.each(after: start, through: head, prepare: sink.kinds) { page in
            for (kind, count) in page.content { counts[kind, default: 0] += count }
        }
        var printer = options.printer(["event", "sentAs", "to", "events"])
        for (kind, count) in counts.sorted(by: { $0.key < $1.key }) {
            let parts = kind.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            try printer.row { writer in
                writer.object {
                    $0.member("event", parts[0])
                    $0.member("sentAs", parts[1])
                    $0.member("to", to.description)
                    $0.member("events", count)
                }
            }
        }
        try printer.finish()
        report("ledger: \(counts.values.reduce(0, +)) events from position \(start + 1) to \(head); nothing was sent")
    }
}

/// Keeps to a number of events a second.
struct Pace {
    private let rate: Int?
    private let start = ContinuousClock.now

    init(_ rate: Int?) { self.rate = rate }

    /// Waits until so many events may have been sent.
    func wait(after sent: Int) async throws {
        guard let rate else { return }
        try await Task.sleep(until: start + .seconds(Double(sent) / Double(rate)), clock: .continuous)
    }
}

import Appointments
import ArgumentParser
import EventStore
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
            what is not answered with 2xx is tried three times, then the replay stops there. It goes by the proxy that \
            http_proxy, https_proxy or all_proxy names, unless no_proxy says otherwise; to this machine it goes \
            straight. With --resume a run \
            that was stopped goes on behind what was sent; the name stands for these filters and this target, and \
            for one run at a time. Nothing is appended.

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
    @Flag(help: "With --into-new-view: make it again, though a set of this name is there.") var anew = false
    @OptionGroup var wanted: EventOptions
    @Option(help: "Only up to this time, itself included.", transform: Reading.moment) var until: Timestamp?
    @Option(help: "At most so many events a second; without it as fast as it goes.") var rate: Int?
    @Option(help: "Remember under this name how far it came, and go on there.") var resume: String?
    @Flag(help: "Say how many events of which kind would be sent where, send nothing.") var dryRun = false
    @OptionGroup var consent: ConsentOptions
    @OptionGroup var person: PersonOptions
    @OptionGroup var options: SharedOptions

    func validate() throws {
        guard (to == nil) != (intoNewView == nil) else { throw ValidationError("name --to or --into-new-view") }
        if anew, intoNewView == nil { throw ValidationError("--anew goes with --into-new-view") }
        if let from = wanted.from, let until, from > until { throw ValidationError("--from is later than --until") }
        if let rate, !(1...1_000_000).contains(rate) { throw ValidationError("--rate is 1 to 1000000") }
        if let resume { try Reading.requireName(resume) }
        if let intoNewView { try Reading.requireSetName(intoNewView) }
    }

    func run() async throws {
        let ledger = try await options.open()
        if let intoNewView {
            return try await ledger.tryOut(
                intoNewView, from: ledger.store, anew: anew, consent, options, person.display)
        }
        guard let to else { return }
        if resume != nil, !ledger.keepsPositions { throw Refusal.noPositions }
        var filter = try await wanted.query.resolved(by: ledger.views)
        filter.to = until
        let head = try await ledger.numbered.head()
        let run = Identifier.random()
        let source = ReplaySource(
            feed: ledger.numbered, log: ledger.numbered, filter: filter,
            pageEvents: rate.map { max(min($0 / 4, 2000), 1) } ?? 2000)
        var mark: ReplayMark?
        if let resume { mark = try await ReplayMark(resume, meaning: question(to), ledger) }
        let start = max(wanted.after, mark?.position ?? 0)
        if let problem = try await ledger.beyond(start) {
            if mark?.position == start { throw Refusal("--resume goes on where it came to, and \(problem)") }
            report("ledger: \(problem)")
        }
        if dryRun { return try await count(source, after: start, head, run, to, ledger) }
        let sink = try ReplaySink(to, run: run, ledger)
        let progress = Progress()
        let pace = Pace(rate)
        var sent = 0
        try await source.each(after: start, through: head, prepare: sink.prepare) { page in
            try await mark?.requireUnmoved()
            try await sink.send(page.content)
            sent += page.events
            try await mark?.move(to: page.position)
            if to != .standardOutput { progress.show(page.position - start, of: head - start) }
            try await pace.wait(after: sent)
        }
        progress.clear()
        report("ledger: run \(run): \(sent) events replayed to \(to), \(sink.passedOver) passed over")
        report("ledger: \(to.hint)")
    }

    /// What is sent where, as it was asked for: a person's appointments may be more the next time.
    private func question(_ to: ReplayTarget) -> String {
        let parts: [String?] = [
            to.description, wanted.type?.rawValue, wanted.country?.code, wanted.insured?.digits,
            wanted.appointment?.description, wanted.correlation, wanted.actor, wanted.from?.description,
            until?.description,
        ]
        return parts.map { $0.map { "\($0.utf8.count):\($0)" } ?? "-" }.joined(separator: " ")
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
        report("ledger: \(counts.values.reduce(0, +)) events behind position \(start), up to \(head); nothing was sent")
    }
}

/// How far a replay with a name has come: the checkpoint of a consumer whose number stands for what is sent where.
private struct ReplayMark {
    private let name: ConsumerName
    private let views: any ConsumerStore & ConsumerControl
    private(set) var position: Int

    /// - Parameter meaning: what is sent where. It may name a person, so the number comes of it under a secret.
    /// - Throws: a refusal when the name stands for something else already.
    init(_ name: String, meaning: String, _ ledger: OpenLedger) async throws {
        let digest = Hash.authentication(of: Array(meaning.utf8), key: ledger.secrets.secret(for: "replay"))
        let number = digest.bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let own = ConsumerName("replay-\(name)", number: number)
        let others = try await ledger.views.names().filter { $0.name == own.name && $0 != own }
        if let other = others.first {
            throw Refusal(
                """
                --resume \(name) was begun with other filters or to another target: take another name, or forget how \
                far that came with `ledger projections remove \(other)`
                """)
        }
        (self.name, views) = (own, ledger.views)
        position = try await views.checkpoint(of: own)
    }

    /// - Throws: a refusal when another run has moved it.
    func requireUnmoved() async throws {
        guard try await views.checkpoint(of: name) == position else { throw moved }
    }

    /// Remembers how far the run has come.
    ///
    /// - Throws: as `requireUnmoved`.
    mutating func move(to next: Int) async throws {
        guard next > position else { return }
        guard try await views.commit(ProjectionCommit(checkpoint: next), of: name, expecting: position) else {
            throw moved
        }
        position = next
    }

    private var moved: Refusal {
        Refusal("another run of \(name.name) goes on at the same time, and this one has stopped at \(position)")
    }
}

extension Pace {
    /// By the machine's clock.
    init(_ rate: Int?) {
        let start = ContinuousClock.now
        self.init(rate, now: { start.duration(to: .now) }, sleep: { try await Task.sleep(for: $0) })
    }
}

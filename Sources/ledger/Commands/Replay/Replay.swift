import Appointments
import ArgumentParser
import EventStore
import Replay

/// `ledger replay`: recorded events once more.
struct ReplayCommand: Verb {
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

    func run(in shell: Shell) async throws {
        let ledger = try await options.open(in: shell)
        if let intoNewView {
            return try await ledger.tryOut(
                intoNewView, from: ledger.store, anew: anew, consent, options, person.display, shell)
        }
        guard let to else { return }
        if resume != nil, !ledger.keepsPositions {
            throw Refusal(
                """
                --resume goes on at a position, and without a mirror the positions on AWS are counted anew by each \
                run: set RDS_URL_LEDGER, or leave out --resume
                """)
        }
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
            shell.tell("\(problem)")
        }
        let sink = ReplaySink(to, run: run, ledger, shell)
        if dryRun { return try await count(source, after: start, head, sink, to, shell) }
        let progress = shell.progress()
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
        shell.tell("run \(run): \(sent) events replayed to \(to), \(sink.passedOver) passed over")
        shell.tell("\(to.hint)")
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
        _ source: ReplaySource, after start: Int, _ head: Int, _ sink: ReplaySink, _ to: ReplayTarget, _ shell: Shell
    ) async throws {
        var counts: [String: Int] = [:]
        try await source.each(after: start, through: head, prepare: sink.kinds) { page in
            for (kind, count) in page.content { counts[kind, default: 0] += count }
        }
        let kinds = counts.sorted { $0.key < $1.key }
        try options.print(kinds.map { ReplayedKind(kind: $0.key, target: to, events: $0.value) }, in: shell)
        shell.tell("\(counts.values.reduce(0, +)) events behind position \(start), up to \(head); nothing was sent")
    }
}

/// How many events of a kind would be sent, and as what.
private struct ReplayedKind: FieldRow {
    static let fields: Fields = [
        "event": { String($0.kind.prefix { $0 != "|" }) },
        "sentAs": { String($0.kind.drop { $0 != "|" }.dropFirst()) }, "to": { $0.target.description },
        "events": { $0.events },
    ]

    /// `type|what`.
    let kind: String
    let target: ReplayTarget
    let events: Int
}

extension Pace {
    /// By the machine's clock.
    init(_ rate: Int?) {
        let start = ContinuousClock.now
        self.init(rate, now: { start.duration(to: .now) }, sleep: { try await Task.sleep(for: $0) })
    }
}

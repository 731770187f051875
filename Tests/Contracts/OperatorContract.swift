import Appointments
import EventStore
import Projections
import Replay
import TestAWS
import TestEngines
import TestPostgres
import Testing

/// What operators ask, of the same history on every engine: the answers are those of the engine in memory, which the
/// properties of rebuilds hold against the fold of the events.
@Suite("Operators get the same answers from every engine, and from every mirror", .serialized, .dropsDatabases)
struct OperatorContract {
    @Test(
        "verify, reconcile, history, why, the past, diff, audit and replay say the same, to the byte",
        arguments: OperatedEngine.compared)
    func answers(engine: OperatedEngine) async throws {
        // What is compared is something: a history without a completed appointment, say, is drawn again.
        for _ in 0..<100 {
            let seed = UInt64.random(in: 0 ... .max)
            let wanted = try await answers(of: .memory, seed)
            let saysAll = Self.said.allSatisfy { question, said in
                wanted.contains { $0.hasPrefix(question) && $0.contains(said) }
            }
            guard saysAll else { continue }
            return expectSame(try await answers(of: engine, seed), wanted, "seed \(seed)")
        }
        Issue.record("no history of a hundred has something to say to every question")
    }

    /// What an answer to each question has to hold.
    private static let said = [
        ("history", "\"entry\":"), ("state", "\"appointmentId\":"), ("why", " completed "),
        ("list", "\"appointmentId\":"), ("diff", "status"), ("audit", "***2"), ("replay", "\"entry\":"),
    ]

    @Test(
        "a row that was changed and one that no event explains are named, and mended, to the same bytes",
        arguments: OperatedEngine.compared)
    func damage(engine: OperatedEngine) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        let wanted = try await damages(of: .memory, seed)
        try #require(wanted.contains { $0.hasPrefix("row-differs") }, "seed \(seed)")
        try #require(wanted.contains { $0.hasPrefix("row-without-events") }, "seed \(seed)")
        expectSame(try await damages(of: engine, seed), wanted, "seed \(seed)")
    }

    @Test(
        "every engine and every mirror takes part",
        .enabled(if: TestCluster.isThere && Emulator.isThere, "scripts/test.sh starts what this needs"))
    func takesPart() { #expect(OperatedEngine.compared == [.sqlite, .sqliteMirrored, .aws, .awsMirrored]) }

    private func expectSame(_ answers: [String], _ wanted: [String], _ name: String) {
        #expect(answers.count == wanted.count, "\(name)")
        for (answer, wanted) in zip(answers, wanted) where answer != wanted {
            Issue.record("'\(answer)' is not '\(wanted)', \(name)")
            return
        }
    }
}

// MARK: - Answers

extension OperatorContract {
    private func answers(of engine: OperatedEngine, _ seed: UInt64) async throws -> [String] {
        let ledger = try await engine.make(streams: 6, seed: seed)
        let events = try await ledger.feed.events(after: 0, limit: 1000)
        var answers = try await checks(ledger)
        for row in ledger.history.rows { answers += try await life(row, in: ledger) }
        for event in events {
            let position = try #require(event.position)
            answers += try await list(ledger, at: .time(event.entry.at))
            answers += try await list(ledger, at: .position(position))
        }
        let middle = events[events.count / 2]
        let position = try #require(middle.position)
        for from in [Moment.position(position), .time(middle.entry.at)] {
            let changes = try await diff(ledger, from: from, to: .latest)
            // Those of the events behind the middle, found without the program's help.
            let moved = Set(events.filter { $0.position ?? 0 > position }.map { "\($0.stream.appointment)" })
            #expect(Set(changes.compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) }) == moved)
            answers += changes
        }
        answers += try await diff(ledger, from: .position(2), to: .position(position))
        answers += try await diff(ledger, from: .time(events[1].entry.at), to: .time(middle.entry.at))
        answers += try await audit(ledger, EventFilter())
        answers += try await audit(ledger, EventFilter(type: "routed", from: events[1].entry.at))
        answers += try await audit(ledger, EventFilter(country: "PE", actor: "key:front-desk", to: middle.entry.at))
        answers += try await audit(ledger, EventFilter(correlation: "c-2"))
        answers += try await audit(ledger, EventFilter(), of: ledger.history.rows.first?.insured)
        answers += try await audit(ledger, EventFilter(streams: [middle.stream]))
        answers += try await replay(ledger, EventFilter())
        answers += try await replay(ledger, EventFilter(type: "routed"))
        answers += try await replay(ledger, EventFilter(streams: Set(events.prefix(2).map(\.stream))))
        return answers + [try await rebuild(ledger)]
    }

    private func checks(_ ledger: OperatedLedger) async throws -> [String] {
        let report = try await ledger.verify()
        let reconciled = try await ledger.reconcile()
        #expect(report.isClean && reconciled.differences == 0, "\(report.findings)")
        return [
            "verify \(report.events) \(report.streams) \(report.rows) \(report.head) \(report.findings)",
            "reconcile \(reconciled.appointments) \(reconciled.differences) \(reconciled.digest)",
            "counts \(try await ledger.audit.counts())",
        ]
    }

    /// An appointment's history, what it was at any moment of it, and which event made each field.
    private func life(_ row: AppointmentRow, in ledger: OperatedLedger) async throws -> [String] {
        let history = try #require(
            try await History.read(row.appointment, from: ledger.audit, insured: row.insured))
        var answers = history.items.map { item in text { $0.historyItem(item) } }.map { "history \($0)" }
        for event in history.events {
            let position = try #require(event.position)
            for moment in [.version(event.version), .time(event.entry.at), .position(position - 1)] as [Moment] {
                let state = try history.state(at: moment)
                answers.append("state \(moment) " + (state.map(text) ?? "none"))
            }
        }
        for field in try Explanation(history, showing: .masked).fields {
            answers.append("why \(field.name) \(field.value ?? "null") \(field.event?.position ?? 0)")
        }
        return answers
    }

    private func list(_ ledger: OperatedLedger, at moment: Moment) async throws -> [String] {
        let past = PastViews(
            views: ledger.engine.views, store: ledger.audit, events: ledger.engine.past, at: moment)
        var answers: [String] = []
        for filter in [
            RowFilter(), RowFilter(status: .pending), RowFilter(insured: ledger.history.rows.first?.insured),
        ] {
            var place: RowPlace?
            repeat {
                let page = try await past.page(filter, after: place, limit: 4)
                answers.append(
                    "list \(moment) "
                        + text {
                            $0.array { writer in for row in page.rows { writer.appointment(row, showing: .whole) } }
                        }
                )
                place = page.next
            } while place != nil
        }
        return answers
    }

    private func diff(_ ledger: OperatedLedger, from: Moment, to: Moment) async throws -> [String] {
        var answers: [String] = []
        let diff = LedgerDiff(log: ledger.audit, store: ledger.audit, views: ledger.engine.views)
        try await diff.each(from: from, to: to, showing: .whole) { changes in
            for change in changes {
                for field in change.fields(showing: .whole) {
                    let position = change.explanation?.event(of: field.name)?.position ?? 0
                    answers.append("diff \(change.appointment) \(field) \(position)")
                }
            }
        }
        return answers
    }

    private func audit(
        _ ledger: OperatedLedger, _ filter: EventFilter, of insured: InsuredID? = nil
    ) async throws -> [String] {
        var query = AuditQuery(filter)
        (query.insured, query.limit) = (insured, 3)
        var answers: [String] = []
        while true {
            let page = try await query.page(of: ledger.audit, views: ledger.engine.views)
            for item in page.items {
                answers.append("audit " + text { $0.auditItem(item, showing: .masked, includesEntry: true) })
            }
            guard let next = page.next else { return answers }
            query.after = next
        }
    }

    private func replay(_ ledger: OperatedLedger, _ filter: EventFilter) async throws -> [String] {
        let writer = ReplayWriter(run: Samples.id(1))
        let source = ReplaySource(feed: ledger.feed, log: ledger.audit, filter: filter, pageEvents: 3)
        var lines: [UInt8] = []
        try await source.each(after: 1, through: try await ledger.feed.head()) { events throws(EventStoreError) in
            writer.lines(events)
        } take: {
            lines += $0.content
        }
        return String(decoding: lines, as: UTF8.self).split(separator: "\n").map { "replay \($0)" }
    }

    /// The view made anew is the one that was there.
    private func rebuild(_ ledger: OperatedLedger) async throws -> String {
        let differences = try await ledger.rebuild()
        let rows = try await ledger.engine.allRows()
        #expect(differences == 0 && rows == ledger.history.rows)
        return "rebuild \(differences) "
            + text { $0.array { writer in for row in rows { writer.appointment(row, showing: .whole) } } }
    }

    private func text(_ row: AppointmentRow) -> String { text { $0.appointment(row, showing: .masked) } }

    private func text(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

// MARK: - Damage

extension OperatorContract {
    private func damages(of engine: OperatedEngine, _ seed: UInt64) async throws -> [String] {
        let ledger = try await engine.make(streams: 5, seed: seed)
        var changed = try #require(ledger.history.rows.first)
        (changed.status, changed.version) = (changed.status == .failed ? .pending : .failed, changed.version + 50)
        try await ledger.engine.projections.put(
            [changed, try Samples.row(999)], parking: [], by: ProjectionRunner.projection)
        let found = try await ledger.verify()
        var answers = found.findings.map { finding in "\(finding.kind.rawValue) " + text { $0.finding(finding) } }
        var differences: [String] = []
        let report = try await ledger.reconcile { difference in
            differences.append("differs \(difference.appointment) \(difference.copy) \(difference.held?.version ?? 0)")
        }
        answers += differences + ["reconcile \(report.differences) of \(report.appointments)"]
        let repaired = try await ledger.repair(found)
        answers += repaired.plan.steps.map { step in "\(step.action) " + text { $0.finding(step.finding) } }
        #expect(repaired.mended == 2)
        return answers + (try await checks(ledger)) + [try await rebuild(ledger)]
    }
}

import AWSEngine
import EventStore
import PostgresEngine
import Projections
import Replay
import TestAWS
import TestEngines
import TestPostgres
import Testing

/// The ledgers that operators meet: each engine by itself, and those that store for good with a mirror from which
/// auditors are answered and views are rebuilt.
enum OperatedEngine: String, CustomTestStringConvertible {
    case memory
    case sqlite
    case sqliteMirrored = "sqlite, mirrored"
    case aws
    case awsMirrored = "aws, mirrored"

    /// Those that are compared with the one in memory, without those whose server is not there.
    static let compared: [OperatedEngine] =
        [.sqlite] + (TestCluster.isThere ? [.sqliteMirrored] : []) + (Emulator.isThere ? [.aws] : [])
        + (TestCluster.isThere && Emulator.isThere ? [.awsMirrored] : [])

    var testDescription: String { rawValue }

    private var engine: Engine {
        switch self {
        case .memory: .memory
        case .sqlite, .sqliteMirrored: .sqlite
        case .aws, .awsMirrored: .aws
        }
    }

    /// A ledger with a history that a seed makes, its view, and its mirror. What the program asks of the store and of
    /// the mirror is asked of the mirror alone, which holds all of it.
    func make(streams: Int, seed: UInt64) async throws -> OperatedLedger {
        let ledger = try await engine.make()
        let history = try await RandomHistory.write(to: ledger, streams: streams, seed: seed, pace: 1)
        let mirror: PostgresMirror?
        switch self {
        case .sqliteMirrored, .awsMirrored: mirror = try await Self.mirror(of: ledger)
        case .memory, .sqlite, .aws: mirror = nil
        }
        let operated = OperatedLedger(ledger, mirror: mirror, hasOwnPositions: self != .awsMirrored, history)
        try await operated.rebuild()
        return operated
    }

    private static func mirror(of ledger: TestEngine) async throws -> PostgresMirror {
        let mirror = PostgresMirror(try await TestCluster.database(.ledger).login("ledger_mirror"))
        try await MirrorRunner(feed: ledger.feed, store: ledger.store, mirror: mirror, people: ledger.people)
            .backfill(now: Samples.noon, limit: 7)
        return mirror
    }
}

/// A ledger, and what an operator's verbs read of it.
struct OperatedLedger {
    let engine: TestEngine
    let history: RandomHistory
    /// What auditors are answered from.
    let audit: any AuditLog & StreamReader
    /// The events by position, as a replay reads them.
    let feed: any EventFeed
    /// The events stream by stream, as a rebuild reads them.
    private let scan: any StreamScan
    /// The rows of a mirror.
    private let mirror: PostgresMirror?

    /// - Parameter hasOwnPositions: whether the store gives them; else the mirror does.
    init(_ engine: TestEngine, mirror: PostgresMirror?, hasOwnPositions: Bool, _ history: RandomHistory) {
        (self.engine, self.history, self.mirror) = (engine, history, mirror)
        if let mirror, hasOwnPositions {
            (audit, feed, scan) = (MirroredLog(mirror: mirror, store: NothingBeyond(log: engine.audit)), mirror, mirror)
        } else if let mirror {
            let numbered = MirrorNumberedLog(mirror: mirror, store: NothingBeyond(log: engine.audit))
            (audit, feed, scan) = (numbered, numbered, mirror)
        } else {
            (audit, feed, scan) = (engine.audit, engine.feed, engine.scan)
        }
    }

    /// Makes the view anew and puts it in place.
    ///
    /// - Returns: in how many rows it differed from the live one.
    @discardableResult
    func rebuild() async throws -> Int {
        let rebuild = Rebuild(scan: scan, feed: feed, sets: engine.sets, people: engine.people)
        try await rebuild.build(ViewCopy.next, now: Samples.noon)
        let differences = try await engine.sets.compare(ViewCopy.next, limit: 10).differences
        let outcome = try await rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: false, now: Samples.noon)
        #expect(outcome == .swapped(position: history.events))
        return differences
    }

    func verify() async throws -> VerifyReport {
        let report = try await Verify(
            feed: engine.feed, scan: engine.scan, store: engine.store, views: engine.rows(), people: engine.people,
            batch: 7
        ).run()
        guard let mirror else { return report }
        return report.adding(try await MirrorCheck(feed: engine.feed, mirror: mirror, people: engine.people).run())
    }

    /// - Parameter body: told each appointment that differs.
    func reconcile(_ body: (Reconcile.Difference) -> Void = { _ in }) async throws -> Reconcile.Report {
        let mirrored = mirror.map { mirror in
            [Reconcile.Copy("mirror", FoldedRows(mirror, engine.people)), Reconcile.Copy("mirror-views", mirror)]
        }
        return try await Reconcile(
            scan: engine.scan, copies: [Reconcile.Copy("view", engine.rows())] + (mirrored ?? []),
            people: engine.people, rangeEvents: 5
        ).run { difference throws(EventStoreError) in body(difference) }
    }

    /// Mends what `verify` has found.
    func repair(_ found: VerifyReport) async throws -> (plan: Repair.Plan, mended: Int) {
        let repair = Repair(
            feed: engine.followsStream ? nil : engine.feed, store: engine.store,
            checkpoints: engine.projections, control: engine.control, sets: engine.sets, people: engine.people)
        let plan = try await repair.plan(for: found)
        return (plan, try await repair.carryOut(plan, now: Samples.noon).mended)
    }
}

/// The store behind a mirror that holds all of it: it adds nothing, so that what the mirror does not answer is missing.
private struct NothingBeyond: AuditLog, StreamReader {
    let log: any AuditLog

    func events(
        matching filter: EventFilter, after position: Int, limit: Int
    ) async throws(EventStoreError) -> [RecordedEvent] { [] }

    func counts() async throws(EventStoreError) -> [EventCount] { try await log.counts() }

    func read(_ stream: StreamID, from version: Int) async throws(EventStoreError) -> [RecordedEvent] { [] }
}

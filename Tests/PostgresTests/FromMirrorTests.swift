import Appointments
import EventStore
import PostgresEngine
import Projections
import Replay
import SQLiteEngine
import TestEngines
import TestPostgres
import Testing

/// What a rebuild and a comparison make of the entries in PostgreSQL.
@Suite(.serialized, .enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct FromMirrorTests {
    private let now = Samples.noon

    /// A ledger in SQLite, and its mirror.
    private struct Mirrored {
        let ledger: TestEngine
        let mirror: PostgresMirror
        let database: TestDatabase

        init() async throws {
            ledger = try await Engine.sqlite.make()
            database = try await TestCluster.database(.ledger)
            mirror = PostgresMirror(try database.login("ledger_mirror"))
        }

        func follow() async throws {
            try await MirrorRunner(feed: ledger.feed, store: ledger.store, mirror: mirror, people: ledger.people)
                .backfill(now: Samples.noon, limit: 7)
        }

        var rebuild: Rebuild {
            var sizes = Rebuild.Sizes()
            (sizes.rangeEvents, sizes.ranges, sizes.rows, sizes.stepEvents) = (5, 3, 4, 3)
            return Rebuild(scan: mirror, feed: mirror, sets: ledger.sets, people: ledger.people, sizes: sizes)
        }

        func reconcile() async throws -> (found: [Reconcile.Difference], report: Reconcile.Report) {
            let reached = try await mirror.state().checkpoint
            var found: [Reconcile.Difference] = []
            let report = try await Reconcile(
                scan: ledger.scan,
                copies: [
                    Reconcile.Copy("mirror", FoldedRows(mirror, ledger.people), reached: reached),
                    Reconcile.Copy("mirror-views", mirror, reached: reached),
                ], people: ledger.people, rangeEvents: 5
            ).run { found.append($0) }
            return (found, report)
        }

        /// Changes the mirror's tables as only their owner can.
        func tamper(_ statements: String) async throws {
            try await database.pool.use { session in
                try session.run("ALTER TABLE ledger.entries DISABLE TRIGGER USER; " + statements)
            }
        }
    }

    @Test("a rebuild from a mirror that is behind takes the rest from the store, and makes the same rows")
    func behind() async throws {
        let mirrored = try await Mirrored()
        _ = try await RandomHistory.write(to: mirrored.ledger, streams: 30, seed: 11)
        try await mirrored.follow()
        _ = try await mirrored.ledger.store.append(
            [try Samples.requested(77, at: now)], to: Samples.appointment(7777).stream, expecting: .empty)
        let head = try await mirrored.ledger.feed.head()
        let before = try await mirrored.ledger.allRows()
        try await mirrored.rebuild.build(ViewCopy.next, now: now)
        #expect(try await mirrored.ledger.sets.compare(ViewCopy.next, limit: 10).differences == 0)
        let outcome = try await mirrored.rebuild.swap(ViewCopy.next, keepingAs: nil, coversAll: true, now: now)
        #expect(outcome == .swapped(position: head))
        #expect(try await mirrored.ledger.allRows() == before)
    }

    @Test("a rebuild stops at an event that the mirror holds changed, and at one that it lost")
    func damaged() async throws {
        let mirrored = try await Mirrored()
        let history = try await RandomHistory.write(to: mirrored.ledger, streams: 10, seed: 12)
        try await mirrored.follow()
        try await mirrored.tamper("UPDATE ledger.entries SET actor = 'nobody' WHERE position = 3")
        #expect(await failure { try await mirrored.rebuild.build("changed", now: now) } == .corrupt)
        try await mirrored.tamper("DELETE FROM ledger.entries WHERE position = \(history.events) OR position = 3")
        #expect(await failure { try await mirrored.rebuild.build("lost", now: now) } == .corrupt)
        // One begun from the store goes on from a mirror only if that has come as far.
        let ahead = try await mirrored.ledger.sets.begin(
            "ahead", of: ProjectionRunner.projection, head: history.events + 1, now: now)
        #expect(ahead.began == history.events + 1)
        #expect(await failure { try await mirrored.rebuild.build("ahead", now: now) } == .invalid)
    }

    @Test("what differs in the mirror is named by appointment, in its entries and in its rows")
    func reconcile() async throws {
        let mirrored = try await Mirrored()
        let history = try await RandomHistory.write(to: mirrored.ledger, streams: 12, seed: 13)
        try await mirrored.follow()
        let whole = try await mirrored.reconcile()
        #expect(whole.found.isEmpty && whole.report.appointments == 12)
        // What comes later is behind, and no difference.
        let late = Samples.appointment(7777)
        _ = try await mirrored.ledger.store.append(
            [try Samples.requested(77, at: now)], to: late.stream, expecting: .empty)
        let behind = try await mirrored.reconcile()
        #expect(behind.found.isEmpty && behind.report.behind == 2)
        try await mirrored.follow()
        let rows = history.rows.map(\.appointment)
        try await mirrored.tamper(
            """
            UPDATE ledger.appointments SET schedule = 999 WHERE appointment = '\(rows[0])';
            DELETE FROM ledger.appointments WHERE appointment = '\(rows[1])';
            DELETE FROM ledger.entries WHERE stream = '\(rows[2])'
            """)
        let found = try await mirrored.reconcile().found
        #expect(found.map(\.appointment) == Array(rows[0...2]).sorted())
        #expect(found.first { $0.appointment == rows[0] }?.copy == "mirror-views")
        #expect(found.first { $0.appointment == rows[1] }?.held == nil)
        #expect(found.first { $0.appointment == rows[2] }?.copy == "mirror")
    }
}

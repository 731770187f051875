import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import Replay
import TestEngines
import TestPostgres
import TestTrees
import Testing
import TransparencyLog

/// The tree in the mirror's tables: of a mirror that was filled without one, and after somebody has changed it.
@Suite(.enabled(if: TestCluster.isThere, TestCluster.reason), .dropsDatabases)
struct MirrorTreeTests {
    private let histories = Histories()
    private let database: TestDatabase

    init() async throws { database = try await TestCluster.database(.ledger) }

    private func mirror() throws -> PostgresMirror { PostgresMirror(try database.login("ledger_mirror")) }

    /// Appends events to appointments of their own, and has the mirror take them in.
    private func grow(by count: Int, to number: Int) async throws {
        try await histories.append(count, to: number)
        let runner = try histories.runner(into: try mirror())
        while try await runner.step(now: Samples.noon, limit: 150).events > 0 {}
    }

    private func tamper(_ sql: String) async throws {
        try await database.pool.use { session in
            try session.run(
                """
                ALTER TABLE ledger.head DISABLE TRIGGER tree_only_grows;
                ALTER TABLE ledger.tiles DISABLE TRIGGER ALL;
                \(sql);
                ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER tiles_never_change;
                ALTER TABLE ledger.tiles ENABLE ALWAYS TRIGGER a_tile_never_changes;
                ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER tree_only_grows;
                """)
        }
    }

    /// What a program without a tree has left.
    private func forgetTree() async throws {
        try await tamper(#"UPDATE ledger.head SET tree = DEFAULT; DELETE FROM ledger.tiles"#)
    }

    private func findings() async throws -> [Finding] {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        return try await MirrorCheck(
            feed: histories.store, mirror: try mirror(),
            people: PersonResolver(directory: MemorySubjectDirectory(), keys: keys)
        ).run().findings
    }

    private func expectWhole(size: Int) async throws {
        let leaves = histories.store.eventsNow(after: 0, limit: .max).map(\.leaf)
        let frontier = try await mirror().frontier()
        #expect(frontier.size == size && frontier.root == NaiveTree.root(leaves[...]))
        let found = try await findings()
        #expect(found.isEmpty, "\(found)")
    }

    @Test("the entries of an old mirror are taken in with the next batch")
    func old() async throws {
        try await grow(by: 300, to: 1)
        try await forgetTree()
        let error = await #expect(throws: EventStoreError.self) { try await mirror().frontier() }
        #expect(error?.code == .unavailable && error?.message.contains("0 of 300") == true)
        #expect(try await findings().isEmpty)
        try await grow(by: 10, to: 2)
        try await expectWhole(size: 310)
    }

    @Test("the tree of an old mirror is made in steps, while others write to it")
    func steps() async throws {
        try await grow(by: 300, to: 1)
        try await forgetTree()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for number in 2...9 { try await grow(by: 20, to: number) } }
            for _ in 1...2 {
                group.addTask {
                    let mirror = try mirror()
                    while try await !mirror.growTree(limit: 31) {}
                }
            }
            try await group.waitForAll()
        }
        try await expectWhole(size: 460)
    }

    @Test("a batch that is passed over or rolled back leaves the tree as it was")
    func rollback() async throws {
        try await grow(by: 300, to: 1)
        let events = try await histories.append(2, to: 2)
        var broken = MirrorBatch(checkpoint: 302)
        broken.entries = events
        // A row that the database refuses, after the entries were written.
        let row = try Samples.row(2, insured: nil)
        broken.rows = [row, row]
        let state = try await mirror().state()
        _ = try? await mirror().append(broken, expecting: state)
        let position = try await mirror().state().position
        #expect(try await mirror().frontier().size == position)
        try await grow(by: 1, to: 3)
        try await expectWhole(size: 303)
    }

    @Test(
        "what was changed in the tree is found, and the mirror goes on",
        arguments: [
            (#"UPDATE ledger.tiles SET root = sha256('') WHERE index = 1"#, "tree-differs"),
            ("DELETE FROM ledger.tiles WHERE index = 0", "tree-missing"),
            (#"INSERT INTO ledger.tiles VALUES (0, 2, sha256(''))"#, "tree-outside"),
            (#"INSERT INTO ledger.tiles VALUES (3, 0, sha256(''))"#, "tree-outside"),
            (#"UPDATE ledger.head SET tree = '\x0000000000000000' || sha256('')"#, "tree-differs"),
            (
                "UPDATE ledger.head SET tree = substring(tree FROM 1 FOR 8) || "
                    + "sha256('') || substring(tree FROM 41)", "tree-differs"
            ),
        ])
    func found(sql: String, kind: String) async throws {
        try await grow(by: 600, to: 1)
        try await tamper(sql)
        let found = try await findings()
        #expect(found.map(\.kind) == [.mirrorDamaged], "\(found)")
        #expect(found.first?.message.hasPrefix("\(kind) in the mirror: ") == true, "\(found)")
        try await grow(by: 250, to: 2)
        #expect(try await !findings().isEmpty)
        #expect(await failure { try await mirror().forgetTree() } == .invalid)
        let outcome = try await repair(isDry: true)
        #expect(outcome.remakesTree && outcome.entries.isEmpty)
        #expect(try await !findings().isEmpty, "a dry run changes nothing")
        #expect(try await repair(isDry: false).remakesTree)
        try await expectWhole(size: 850)
        #expect(try await repair(isDry: true).isEmpty)
    }

    private func repair(isDry: Bool) async throws -> MirrorRepair.Outcome {
        let keys = try KeyRing(master: Array(repeating: 1, count: 32))
        return try await MirrorRepair(
            feed: histories.store, scan: histories.store, mirror: PostgresMirror(try database.pool),
            people: PersonResolver(directory: MemorySubjectDirectory(), keys: keys)
        ).run(isDry: isDry) { _ in }
    }

    @Test("nobody changes the tree, and the mirror's role only lets it grow")
    func protection() async throws {
        try await grow(by: 300, to: 1)
        for sql in [
            "UPDATE ledger.tiles SET root = sha256('')", "DELETE FROM ledger.tiles", "TRUNCATE ledger.tiles",
            "UPDATE ledger.head SET tree = DEFAULT", "SET session_replication_role = replica; DELETE FROM ledger.tiles",
        ] {
            #expect(try await sqlState(of: sql, in: try database.pool) == "23001", "\(sql)")
        }
        let role = try database.login("ledger_mirror")
        #expect(try await sqlState(of: "UPDATE ledger.head SET tree = DEFAULT", in: role) == "23001")
        #expect(
            try await sqlState(of: "UPDATE ledger.head SET tree = '\\x7000000000000000'", in: role) == "23514",
            "no tree is larger than its mirror")
        for sql in ["UPDATE ledger.tiles SET root = root", "DELETE FROM ledger.tiles", "TRUNCATE ledger.tiles"] {
            #expect(try await sqlState(of: sql, in: role) == "42501", "\(sql)")
        }
        let auditor = try database.login("ledger_auditor", readsOnly: true)
        #expect(try await sqlState(of: "SELECT * FROM ledger.tiles", in: auditor) == "42501")
    }
}

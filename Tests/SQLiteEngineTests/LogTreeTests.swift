import Appointments
import EventStore
import Foundation
import GRDB
import Replay
import SQLiteEngine
import TestEngines
import TestTrees
import Testing
import TransparencyLog

/// The tree that SQLite keeps with the appends: what moves together, what is found when it was changed, and how an old
/// file gets it.
@Suite struct LogTreeTests {
    private let path: String
    private let store: SQLiteEventStore
    private let views: SQLiteAppointmentView

    init() throws {
        path = try ScratchFile().path
        let file = try SQLiteFile(path: path)
        (store, views) = (SQLiteEventStore(file), SQLiteAppointmentView(file))
    }

    /// Appends events to a stream of its own.
    private static func append(_ count: Int, to number: Int, in store: SQLiteEventStore) async throws {
        let stream = Samples.appointment(number).stream
        let version = try await store.read(stream).count
        let events = (1...count).map { Samples.later(1000 * number + version + $0) }
        _ = try await store.append(events, to: stream, expecting: .version(version))
    }

    private func append(_ count: Int, to number: Int) async throws {
        try await Self.append(count, to: number, in: store)
    }

    private func tamper(_ sql: String) throws {
        try otherConnection(to: path).writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    /// What a program without a tree has left.
    private func forgetTree() throws {
        try tamper(
            """
            DROP TABLE tiles; DROP TRIGGER tree_only_grows; ALTER TABLE head DROP COLUMN tree;
            DELETE FROM grdb_migrations WHERE identifier LIKE '% log tree';
            """)
    }

    private func findings(
        in store: SQLiteEventStore? = nil, signed: (any SignedStates)? = nil
    ) async throws -> [Finding] {
        let store = store ?? self.store
        return try await Verify(
            feed: store, scan: store, store: store, views: views, tree: store, signed: signed, people: nil,
            parts: [.log]
        ).run().findings
    }

    private func expectWhole(_ store: SQLiteEventStore, size: Int) async throws {
        let leaves = try await store.events(after: 0, limit: .max).map(\.leaf)
        let frontier = try await store.frontier()
        #expect(frontier.size == size && leaves.count == size)
        #expect(frontier.root == NaiveTree.root(leaves[...]))
        #expect(try await findings(in: store).isEmpty)
    }

    // MARK: What moves together

    @Test("an append that breaks takes its leaves with it, and leaves its neighbours theirs")
    func rollback() async throws {
        try await append(250, to: 1)
        // The second event of one append meets this after the first one is written.
        try tamper(
            """
            CREATE TRIGGER broken BEFORE INSERT ON events WHEN NEW.version = 2 AND NEW.stream =
                x'\(Samples.id(7).bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())'
            BEGIN SELECT RAISE(ABORT, 'broken'); END
            """)
        let store = store
        await withTaskGroup(of: Bool.self) { group in
            for number in 2...12 {
                group.addTask {
                    do { try await Self.append(3, to: number, in: store) } catch { return false }
                    return true
                }
            }
            var failures = 0
            for await isStored in group where !isStored { failures += 1 }
            #expect(failures == 1)
        }
        try await expectWhole(store, size: 250 + 10 * 3)
        try tamper("DROP TRIGGER broken")
        try await append(3, to: 7)
        try await expectWhole(store, size: 283)
    }

    @Test("two programs that append in turns go on with one tree")
    func twoPrograms() async throws {
        let other = SQLiteEventStore(try SQLiteFile(path: path))
        for round in 1...10 {
            try await append(60, to: round)
            try await Self.append(7, to: 100 + round, in: other)
        }
        try await expectWhole(store, size: 670)
        try await expectWhole(other, size: 670)
    }

    @Test(
        "no connection changes the tree or takes a leaf out of it",
        arguments: [
            "UPDATE tiles SET root = zeroblob(32)", "DELETE FROM tiles",
            "INSERT OR REPLACE INTO tiles SELECT place, zeroblob(32), hashes FROM tiles",
            "REPLACE INTO tiles VALUES (0, zeroblob(32), zeroblob(8192))", "UPDATE OR REPLACE tiles SET place = 1",
            "UPDATE head SET tree = x'0000000000000001'", "UPDATE head SET tree = x'00'",
            "UPDATE OR REPLACE head SET tree = zeroblob(8)",
            "INSERT OR REPLACE INTO head (id, position) VALUES (1, 600)",
        ])
    func protection(sql: String) async throws {
        try await append(600, to: 1)
        for setting in ["", "PRAGMA recursive_triggers = ON; "] {
            #expect(throws: DatabaseError.self, "\(sql)") { try tamper(setting + sql) }
        }
        try await expectWhole(store, size: 600)
    }

    // MARK: What is found

    private static let free = """
        DROP TRIGGER tiles_are_never_updated; DROP TRIGGER tiles_are_never_deleted; DROP TRIGGER tree_only_grows;
        DROP TRIGGER events_are_never_updated; DROP TRIGGER events_are_never_deleted; DROP TRIGGER head_only_grows;
        """
    /// Two of them as the file had them.
    private static let guards = """
        CREATE TRIGGER tree_only_grows BEFORE UPDATE ON head
            WHEN length(NEW.tree) < 8 OR substr(NEW.tree, 1, 8) < substr(OLD.tree, 1, 8)
            BEGIN SELECT RAISE(ABORT, 'no leaf is taken out of the tree'); END;
        CREATE TRIGGER tiles_are_never_deleted BEFORE DELETE ON tiles
            BEGIN SELECT RAISE(ABORT, 'a tile is never deleted'); END;
        """
    private static let hash = "x'\(String(repeating: "5a", count: 32))'"

    @Test(
        "what was changed in the tree or under it is found, and appends go on",
        arguments: [
            ("UPDATE tiles SET root = \(hash) WHERE place = 1", [Finding.Kind.treeDiffers], 257),
            (
                "UPDATE tiles SET hashes = CAST(substr(hashes, 1, 320) || \(hash) || substr(hashes, 353) AS BLOB) "
                    + "WHERE place = 1", [.treeDiffers], 267
            ),
            ("UPDATE tiles SET hashes = substr(hashes, 1, 8100) WHERE place = 0", [.treeDiffers], 254),
            ("UPDATE tiles SET hashes = x'' WHERE place = 0", [.treeDiffers], 1),
            ("DELETE FROM tiles WHERE place = 1", [.treeMissing], 257),
            ("UPDATE tiles SET place = 7 WHERE place = 0", [.treeMissing, .treeOutside], 1),
            ("INSERT INTO tiles SELECT -3, root, hashes FROM tiles LIMIT 1", [.treeOutside], nil),
            ("INSERT INTO tiles SELECT 2, root, hashes FROM tiles LIMIT 1", [.treeOutside], nil),
            ("INSERT INTO tiles SELECT 1 << 48, root, hashes FROM tiles LIMIT 1", [.treeOutside], nil),
            ("INSERT INTO tiles SELECT 99 << 48, root, hashes FROM tiles LIMIT 1", [.treeOutside], nil),
            ("UPDATE head SET tree = x'010203'", [.treeDiffers], 600),
            (
                "UPDATE head SET tree = CAST(substr(tree, 1, 40) || \(hash) || substr(tree, 73) AS BLOB)",
                [.treeDiffers], 600
            ),
            (
                "UPDATE events SET leaf = \(hash), entry = CAST(entry || ' ' AS BLOB) WHERE position = 300",
                [.treeUnknown], 300
            ),
            ("DELETE FROM events WHERE position = 300", [.treeUnknown], 300),
            ("DELETE FROM events WHERE position = 600; UPDATE head SET position = 599", [.treeDiffers], 600),
        ] as [(String, [Finding.Kind], Int?)])
    func found(sql: String, kinds: [Finding.Kind], position: Int?) async throws {
        try await append(600, to: 1)
        try tamper(Self.free + sql)
        let found = try await findings()
        #expect(found.map(\.kind) == kinds && found.first?.position == position, "\(found)")
        try await append(300, to: 2)
        #expect(try await !findings().isEmpty)
        // Where only the tree is wrong it can be made anew, and is guarded as before.
        guard kinds.allSatisfy(\.isOfTree), try await store.events(after: 0, limit: .max).count == 900 else { return }
        try tamper(Self.guards)
        try await store.forgetTree()
        #expect(try await store.edge().frontier == Frontier())
        while try await !store.growTree(limit: 500) {}
        try await expectWhole(store, size: 900)
        for sql in ["DELETE FROM tiles", "UPDATE head SET tree = zeroblob(8)"] {
            #expect(throws: DatabaseError.self, "\(sql)") { try tamper(sql) }
        }
    }

    @Test("an event that was replaced with all of its hashes is found by the tree alone")
    func rewritten() async throws {
        try await append(300, to: 1)
        try await append(300, to: 2)
        // The last event of a stream: no other names its leaf.
        let last = try #require(try await store.events(after: 299, limit: 1).first)
        let forged = Array(String(decoding: last.entry.bytes, as: UTF8.self).replacing("c-1", with: "c-9").utf8)
        #expect(forged != last.entry.bytes)
        try await otherConnection(to: path).write { database in
            try database.execute(sql: Self.free)
            try database.execute(
                sql: "UPDATE events SET entry = ?, leaf = ?, correlation = 'c-9' WHERE position = 300",
                arguments: [Data(forged), Data(Hash.leaf(of: forged).bytes)])
        }
        let found = try await findings()
        #expect(found.map(\.kind) == [.treeDiffers, .treeDiffers] && found.first?.position == 300, "\(found)")
    }

    @Test("what was signed is told the root at each size that it names, and its findings are the log's")
    func signed() async throws {
        try await append(300, to: 1)
        let leaves = try await store.events(after: 0, limit: .max).map(\.leaf)
        let found = try await findings(signed: Signed(wanted: [0, 256, 299, 300, 301]))
        let roots = [0, 256, 299, 300].map { "\($0) \(NaiveTree.root(leaves[..<$0]))" }
        #expect(found.map(\.message) == ["size 300: \(roots.joined(separator: ", "))"])
    }

    /// Says what it was told.
    private struct Signed: SignedStates {
        let wanted: [Int]

        func sizes() async throws(EventStoreError) -> [Int] { wanted }

        func findings(roots: [Int: Hash], size: Int) async throws(EventStoreError) -> [Finding] {
            let told = roots.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            return [Finding(.treeDiffers, message: "size \(size): \(told.joined(separator: ", "))")]
        }
    }

    // MARK: An old file

    @Test("the events of an old file are taken in step by step, while others are appended")
    func old() async throws {
        try await append(650, to: 1)
        try forgetTree()
        let reopened = SQLiteEventStore(try SQLiteFile(path: path))
        let error = await #expect(throws: EventStoreError.self) { try await reopened.frontier() }
        #expect(error?.code == .unavailable && error?.message.contains("0 of 650") == true, "\(error?.message ?? "")")
        #expect(try await findings(in: reopened).isEmpty)
        var round = 0
        repeat {
            try await Self.append(20, to: 2, in: reopened)
            #expect(try await reopened.edge().frontier?.size == 100 * round)
            #expect(try await findings(in: reopened).isEmpty)
            round += 1
        } while try await !reopened.growTree(limit: 100)
        try await expectWhole(reopened, size: try await reopened.head())
        try await Self.append(300, to: 3, in: reopened)
        try await expectWhole(reopened, size: try await reopened.head())
    }

    @Test("an old file gets its tree while many append to it, and no leaf is missing or twice")
    func oldUnderLoad() async throws {
        try await append(900, to: 1)
        try forgetTree()
        let reopened = SQLiteEventStore(try SQLiteFile(path: path))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 2...9 {
                group.addTask { for _ in 1...20 { try await Self.append(3, to: number, in: reopened) } }
            }
            // Two programs at it do no harm.
            for _ in 1...2 {
                group.addTask {
                    while try await !reopened.growTree(limit: 37) { await Task.yield() }
                }
            }
            try await group.waitForAll()
        }
        try await expectWhole(reopened, size: 900 + 8 * 20 * 3)
    }

    @Test("an old file that has lost an event says so, and books on")
    func oldWithHole() async throws {
        try await append(300, to: 1)
        try tamper(Self.free + "DELETE FROM events WHERE position = 200")
        try tamper(
            """
            DROP TABLE tiles; ALTER TABLE head DROP COLUMN tree;
            DELETE FROM grdb_migrations WHERE identifier LIKE '% log tree';
            """)
        let reopened = SQLiteEventStore(try SQLiteFile(path: path))
        let error = await #expect(throws: EventStoreError.self) { try await reopened.growTree(limit: 1000) }
        #expect(error?.code == .corrupt && error?.message.contains("position 200 is missing") == true)
        try await Self.append(1, to: 2, in: reopened)
        #expect(try await reopened.head() == 301)
    }
}

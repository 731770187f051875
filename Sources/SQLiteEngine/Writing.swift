import EventStore
import Foundation
import GRDB
import Handlers
import Projections
import TransparencyLog

/// A transaction of the writer, and what its jobs share: the head of the log and whom to wake after the commit.
final class Writing {
    let database: Database
    private let memory: TreeMemory
    private var log: (head: Int, stored: Int, tree: Data, viewIsCurrent: Bool)?
    /// The leaves of the events that were appended.
    private var leaves: [Hash] = []
    /// The right edge of the tree, once it was written, and as it was.
    private var written: (stored: Data, edge: TreeEdge)?
    private var bells: [Doorbell] = []
    /// Events that were appended, to be counted before the commit.
    private var appended: [[String]: Int] = [:]

    init(_ database: Database, _ memory: TreeMemory) { (self.database, self.memory) = (database, memory) }

    /// The next position of the log. Nobody has it before an event is noted there.
    func nextPosition() throws -> Int { try loadLog().head + 1 }

    /// Notes an event that stands at the next position: the head, the counts and the tree move on with it, each once,
    /// at the end of the transaction.
    func note(_ event: RecordedEvent) {
        log?.head += 1
        appended[[event.entry.type, event.entry.country], default: 0] += 1
        leaves.append(event.leaf)
    }

    /// Whether the view has every event that was stored before this transaction, so that it is written along.
    ///
    /// - Parameter writesView: false lets the view lag from here on.
    func followsView(_ writesView: Bool) throws -> Bool {
        if try loadLog().viewIsCurrent, !writesView { log?.viewIsCurrent = false }
        return try loadLog().viewIsCurrent
    }

    /// Tells the appends of this transaction that the view was brought up to a position by a job before them.
    func viewCame(to position: Int) {
        if let head = log?.head { log?.viewIsCurrent = head == position }
    }

    private func loadLog() throws -> (head: Int, stored: Int, tree: Data, viewIsCurrent: Bool) {
        if let log { return log }
        let (head, tree) =
            try database.row("SELECT position, tree FROM head") { ($0[0] as Int, $0[1] as Data) } ?? (0, Data())
        let checkpoint = try SQLiteAppointmentView.checkpoint(of: ProjectionRunner.projection, in: database)
        let isPaused = try SQLiteAppointmentView.pausedAt(ProjectionRunner.projection, in: database) != nil
        let loaded = (head: head, stored: head, tree: tree, viewIsCurrent: checkpoint == head && !isPaused)
        log = loaded
        return loaded
    }

    /// Rings a bell once the transaction is durable.
    func ring(_ bell: Doorbell) {
        if !bells.contains(where: { $0 === bell }) { bells.append(bell) }
    }

    /// Writes what the jobs share, before the commit.
    func finish() throws {
        guard let log, log.head != log.stored else { return }
        try moveHead(to: log.head, from: log.stored)
        for (kind, count) in appended {
            try database.run(
                """
                INSERT INTO event_counts VALUES (?, ?, ?)
                ON CONFLICT (type, country) DO UPDATE SET count = count + excluded.count
                """, [kind[0], kind[1], count])
        }
        if log.viewIsCurrent {
            try SQLiteAppointmentView.moveCheckpoint(of: ProjectionRunner.projection, to: log.head, in: database)
        }
    }

    /// Tells what others share that all of this is durable.
    func committed() {
        if let written { memory.keep(written.edge, storedAs: written.stored) }
        for bell in bells { bell.ring() }
    }
}

// MARK: - The tree

extension Writing {
    /// Moves the head of the log and the edge of its tree together. A tree that lacks events from before this
    /// transaction, or is damaged, stays as it is.
    private func moveHead(to head: Int, from stored: Int) throws {
        guard var edge = try loadEdge(of: stored), edge.frontier.size == stored else {
            return try database.run("UPDATE head SET position = ?", [head])
        }
        for leaf in leaves { try edge.append(leaf, in: database) }
        let bytes = Data(edge.frontier.bytes)
        try database.run("UPDATE head SET position = ?, tree = ?", [head, bytes])
        written = (bytes, edge)
    }

    /// Takes into the tree events that were stored before this transaction and are not in it.
    ///
    /// - Returns: whether all are in it then.
    /// - Throws: `corrupt` when the tree is damaged, or an event is missing.
    func growTree(limit: Int) throws -> Bool {
        let stored = try loadLog().stored
        guard var edge = try loadEdge(of: stored) else {
            throw EventStoreError(
                .corrupt, message: "the tree over the events can't be gone on with: run `ledger verify --log`")
        }
        let size = edge.frontier.size
        if size == stored { return true }
        let missing = HashRange(level: 0, start: size, count: min(limit, stored - size))
        let leaves = try Tiles.leaves(missing, in: database)
        guard leaves.count == missing.count else {
            throw EventStoreError(
                .corrupt, message: "the event at position \(size + leaves.count + 1) is missing: run `ledger verify`")
        }
        for leaf in leaves { try edge.append(leaf, in: database) }
        let bytes = Data(edge.frontier.bytes)
        try database.run("UPDATE head SET tree = ?", [bytes])
        written = (bytes, edge)
        return edge.frontier.size == stored
    }

    /// Takes all of the tree away. The triggers that refuse it are laid aside within this transaction.
    func forgetTree() throws {
        let triggers = try database.rows(
            """
            SELECT name, sql FROM sqlite_master
            WHERE type = 'trigger' AND name IN ('tiles_are_never_deleted', 'tree_only_grows')
            """
        ) { (name: $0[0] as String, sql: $0[1] as String) }
        for trigger in triggers { try database.execute(sql: "DROP TRIGGER \(trigger.name)") }
        try database.execute(sql: "DELETE FROM tiles; UPDATE head SET tree = zeroblob(8)")
        for trigger in triggers { try database.execute(sql: trigger.sql) }
        written = nil
        log?.tree = Data(Frontier().bytes)
    }

    /// The edge of the tree; nil when it is damaged.
    private func loadEdge(of stored: Int) throws -> TreeEdge? {
        if let written { return written.edge }
        let tree = try loadLog().tree
        if let edge = memory.edge(storedAs: tree) { return edge.frontier.size <= stored ? edge : nil }
        guard let frontier = Frontier(bytes: tree), frontier.size <= stored else { return nil }
        return try TreeEdge(frontier, in: database)
    }
}

extension Database {
    /// Runs a statement that is compiled once.
    func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        let statement = try cachedStatement(sql: sql)
        statement.setUncheckedArguments(arguments)
        try statement.execute()
    }

    /// Fetches the rows of a statement that is compiled once.
    func rows<Value>(
        _ sql: String, _ arguments: StatementArguments = [], _ read: (Row) throws -> Value
    ) throws -> [Value] {
        var values: [Value] = []
        try eachRow(sql, arguments) { values.append(try read($0)) }
        return values
    }

    /// Goes through the rows of a statement that is compiled once.
    func eachRow(_ sql: String, _ arguments: StatementArguments = [], _ body: (Row) throws -> Void) throws {
        let statement = try cachedStatement(sql: sql)
        let cursor = try Row.fetchCursor(statement, arguments: arguments)
        while let row = try cursor.next() { try body(row) }
    }

    /// Fetches the first row of a statement that is compiled once.
    func row<Value>(_ sql: String, _ arguments: StatementArguments = [], _ read: (Row) throws -> Value) throws -> Value?
    {
        let statement = try cachedStatement(sql: sql)
        let cursor = try Row.fetchCursor(statement, arguments: arguments)
        return try cursor.next().map(read)
    }
}

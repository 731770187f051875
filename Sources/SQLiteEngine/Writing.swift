import EventStore
import GRDB
import Handlers
import Projections

/// A transaction of the writer, and what its jobs share: the head of the log and whom to wake after the commit.
final class Writing {
    let database: Database
    private var log: (head: Int, stored: Int, viewIsCurrent: Bool)?
    private var bells: [Doorbell] = []
    /// Events that were appended, to be counted before the commit.
    private var appended: [[String]: Int] = [:]

    init(_ database: Database) { self.database = database }

    /// The next position of the log. The head row is written once, at the end of the transaction.
    func nextPosition() throws -> Int {
        let next = try loadLog().head + 1
        log?.head = next
        return next
    }

    /// Counts an event that was appended.
    func count(_ event: RecordedEvent) { appended[[event.entry.type, event.entry.country], default: 0] += 1 }

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

    private func loadLog() throws -> (head: Int, stored: Int, viewIsCurrent: Bool) {
        if let log { return log }
        let head = try Int.fetchOne(database.cachedStatement(sql: "SELECT position FROM head")) ?? 0
        let checkpoint = try SQLiteAppointmentView.checkpoint(of: ProjectionRunner.projection, in: database)
        let isPaused = try SQLiteAppointmentView.pausedAt(ProjectionRunner.projection, in: database) != nil
        let loaded = (head: head, stored: head, viewIsCurrent: checkpoint == head && !isPaused)
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
        try database.run("UPDATE head SET position = ?", [log.head])
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

    func ringBells() {
        for bell in bells { bell.ring() }
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

import Foundation
import GRDB
import Synchronization

/// What SQLite does by itself, in plain SQL and with group commit: the limit that `ledger-bench` shows with the store.
///
/// Client threads wait for one durable write after the other; one writer commits all that waits in one transaction. It
/// checks the expected version by the unique index and does nothing else of a ledger: no hashing, encoding, or checks.
final class SQLiteCeiling: @unchecked Sendable {
    // Unchecked: `waiting` and `isOver` are only touched under `lock`; the connection only by the writer's thread.
    private let queue: DatabaseQueue
    private let lock = NSLock()
    private var waiting: [Operation] = []
    private var isOver = false
    private let bell = DispatchSemaphore(value: 0)

    private struct Operation {
        let index: Int
        let done: DispatchSemaphore
    }

    /// What is written for one operation.
    enum Workload: Sendable {
        /// One event of a new stream.
        case append
        /// The four events of a stream one after the other, each with its row and the row's three indexes.
        case lifecycle
    }

    /// - Parameter path: where the file is made.
    /// - Throws: what SQLite says.
    init(path: String) throws {
        queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { database in
            try database.execute(
                sql: """
                    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
                    PRAGMA wal_autocheckpoint = 4000;
                    CREATE TABLE events (position INTEGER PRIMARY KEY, stream BLOB NOT NULL, version INTEGER NOT NULL,
                        leaf BLOB NOT NULL, entry BLOB NOT NULL) STRICT;
                    CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
                    CREATE TABLE rows (id BLOB PRIMARY KEY, insured TEXT, country TEXT, created INTEGER, status TEXT,
                        version INTEGER, leaf BLOB, slot BLOB) STRICT, WITHOUT ROWID;
                    CREATE INDEX rows_by_insured ON rows (insured, created);
                    CREATE INDEX rows_by_status ON rows (status, created);
                    CREATE INDEX rows_by_country ON rows (country, created);
                    """)
        }
    }

    /// Does `operations` operations on `clients` threads; returns events a second.
    ///
    /// - Throws: what SQLite says.
    func eventsPerSecond(_ workload: Workload, clients: Int, operations: Int) throws -> Double {
        let versions = workload == .append ? 1 : 4
        let start = DispatchTime.now()
        let writer = CeilingThread { [self] in try writeAll(workload) }
        let readers = (0..<clients).map { client in
            CeilingThread { [self] in
                let done = DispatchSemaphore(value: 0)
                for operation in stride(from: client, to: operations, by: clients) {
                    for version in 0..<versions { submit(Operation(index: operation * versions + version, done: done)) }
                }
            }
        }
        for reader in readers { try reader.join() }
        lock.withLock { isOver = true }
        bell.signal()
        try writer.join()
        let nanoseconds = DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds
        return Double(operations * versions) / (Double(nanoseconds) / 1e9)
    }

    private func submit(_ operation: Operation) {
        let wasEmpty = lock.withLock {
            defer { waiting.append(operation) }
            return waiting.isEmpty
        }
        if wasEmpty { bell.signal() }
        operation.done.wait()
    }

    private func writeAll(_ workload: Workload) throws {
        let entry = Data(repeating: 0x61, count: 400)
        while true {
            bell.wait()
            let (batch, isOver) = lock.withLock {
                defer { waiting.removeAll(keepingCapacity: true) }
                return (waiting, self.isOver)
            }
            if batch.isEmpty, isOver { return }
            try queue.writeWithoutTransaction { database in
                try database.run("BEGIN IMMEDIATE")
                for operation in batch { try write(operation.index, workload, entry, in: database) }
                try database.run("COMMIT")
            }
            for operation in batch { operation.done.signal() }
        }
    }

    private func write(_ index: Int, _ workload: Workload, _ entry: Data, in database: Database) throws {
        let stream = workload == .append ? index : index / 4
        let version = workload == .append ? 1 : index % 4 + 1
        let id = withUnsafeBytes(of: (UInt64(stream).bigEndian, UInt64(stream) &* 0x9E37_79B9_7F4A_7C15)) { Data($0) }
        let leaf = entry.prefix(32)
        try database.run(
            "INSERT INTO events (stream, version, leaf, entry) VALUES (?, ?, ?, ?)", [id, version, leaf, entry])
        if workload == .append { return }
        if version == 1 {
            try database.run(
                "INSERT INTO rows VALUES (?, ?, 'PE', ?, 'pending', 1, ?, NULL)",
                [id, String(stream % 100_000), index, leaf])
        } else if version == 2 {
            try database.run("UPDATE rows SET version = ?, leaf = ? WHERE id = ?", [version, leaf, id])
        } else {
            try database.run(
                "UPDATE rows SET status = ?, version = ?, leaf = ?, slot = ? WHERE id = ?",
                [version == 3 ? "processed" : "completed", version, leaf, leaf, id])
        }
    }
}

extension Database {
    /// Runs a statement that is compiled once.
    fileprivate func run(_ sql: String, _ arguments: StatementArguments = []) throws {
        let statement = try cachedStatement(sql: sql)
        statement.setUncheckedArguments(arguments)
        try statement.execute()
    }
}

/// A thread that can be waited for.
private final class CeilingThread: Sendable {
    private let failure = Mutex<(any Error)?>(nil)
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Void) {
        Thread.detachNewThread { [self] in
            do { try body() } catch { failure.withLock { $0 = error } }
            ended.signal()
        }
    }

    func join() throws {
        ended.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}

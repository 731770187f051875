import Appointments
package import EventStore
import MemoryEngine
import PostgresEngine
import Projections
import SQLiteEngine
import TestPostgres
import Testing
package import TransparencyLog

/// The stores that keep the tree over their events.
package enum TreeEngine: CaseIterable, CustomTestStringConvertible {
    case memory
    case sqlite
    case memoryMirror
    case postgres

    /// Those that this machine can run.
    package static var available: [TreeEngine] {
        TestCluster.isThere ? allCases : allCases.filter { $0 != .postgres }
    }

    package var testDescription: String { "\(self)" }

    /// Whether it takes in tens of thousands of events in a moment.
    package var isQuick: Bool { [.memory, .sqlite].contains(self) }

    /// A new, empty log.
    package func make() async throws -> GrowingLog {
        switch self {
        case .memory:
            let store = MemoryEventStore()
            return GrowingLog(tree: store, feed: store, store: store) {}
        case .sqlite:
            let store = SQLiteEventStore(try SQLiteFile(path: try ScratchFile().path))
            return GrowingLog(tree: store, feed: store, store: store) {}
        case .memoryMirror: return try GrowingLog(MemoryMirror())
        case .postgres:
            return try GrowingLog(PostgresMirror(try await TestCluster.database(.ledger).login("ledger_mirror")))
        }
    }
}

/// A log that grows by chance, and its tree.
package struct GrowingLog: Sendable {
    package let tree: any StoredTree
    package let feed: any EventFeed
    private let store: any EventStore
    private let follow: @Sendable () async throws -> Void

    /// - Parameter follow: has the log take in what was appended to the store.
    init(
        tree: any StoredTree, feed: any EventFeed, store: any EventStore,
        follow: @escaping @Sendable () async throws -> Void
    ) {
        (self.tree, self.feed, self.store, self.follow) = (tree, feed, store, follow)
    }

    /// The log of a mirror.
    fileprivate init(_ mirror: some MirrorStore & EventFeed & StoredTree) throws {
        let histories = Histories()
        let runner = try histories.runner(into: mirror)
        self.init(tree: mirror, feed: mirror, store: histories.store) {
            while try await runner.step(now: Samples.noon).events > 0 {}
        }
    }

    /// Appends so many events to streams that chance chooses, up to `largest` together.
    package func grow(by count: Int, streams: Int = 30, largest: Int = 9, _ random: inout SeededRandom) async throws {
        var left = count
        while left > 0 {
            let stream = Samples.appointment(Int(random.next() % UInt64(streams))).stream
            let version = try await store.read(stream).count
            let size = min(left, 1 + Int(random.next() % UInt64(largest)))
            let events = (0..<size).map { _ in Samples.later(Int(random.next() >> 40)) }
            _ = try await store.append(events, to: stream, expecting: .version(version))
            left -= size
        }
        try await follow()
    }
}

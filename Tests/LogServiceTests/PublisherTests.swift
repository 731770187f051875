import EventStore
import LogService
import MemoryEngine
import Synchronization
import TestEngines
import Testing
import TransparencyLog

/// A log as static files.
@Suite struct PublisherTests {
    /// A place for files that breaks off after some writes, as a process does that is killed.
    private final class Shelf: Sendable {
        private struct State {
            var files: [String: [UInt8]] = [:]
            var order: [String] = []
            var writesLeft = Int.max
        }

        private let state = Mutex(State())

        var files: [String: [UInt8]] { state.withLock { $0.files } }
        /// The paths in the order in which they were written.
        var order: [String] { state.withLock { $0.order } }
        func allow(writes: Int) { state.withLock { ($0.writesLeft, $0.order) = (writes, []) } }
        func put(_ bytes: [UInt8], at path: String) { state.withLock { $0.files[path] = bytes } }

        var destination: LogPublisher.Destination {
            LogPublisher.Destination(
                read: { [self] path throws(EventStoreError) in files[path] },
                write: { [self] path, bytes throws(EventStoreError) in
                    try state.withLock { state throws(EventStoreError) in
                        if state.files[path] == bytes { return false }
                        guard state.writesLeft > 0 else { throw EventStoreError(.unavailable, message: "full") }
                        state.writesLeft -= 1
                        state.files[path] = bytes
                        state.order.append(path)
                        return true
                    }
                }, settle: {})
        }
    }

    private func ledger(_ streams: Int) async throws -> SignedLedger {
        let ledger = try SignedLedger()
        try await ledger.grow(0..<streams)
        _ = try await ledger.checkpointer.sign()
        return ledger
    }

    /// All that a client of the log asks for is there, and is what the log is.
    private func expectWhole(_ shelf: Shelf, _ ledger: SignedLedger) async throws {
        let last = try await ledger.last()
        let (files, size) = (shelf.files, last.checkpoint.size)
        #expect(files["checkpoint"] == last.note.bytes)
        #expect(files["key"] == Array("\(ledger.signer.key)\n".utf8))
        var frontier = Frontier()
        for index in 0...(size / 256) {
            guard let bundle = TilePath.bundle(index: index, ofSize: size) else { continue }
            let leaves = try EntryBundle.decode(try #require(files["\(bundle)"]), count: bundle.width)
                .map { Hash.leaf(of: $0) }
            let tile = try #require(TilePath.tile(level: 0, index: index, ofSize: size))
            #expect(files["\(tile)"] == Tile.encode(leaves))
            for leaf in leaves { frontier.append(leaf) }
        }
        #expect(frontier.root == last.checkpoint.root)
        for level in 1..<3 {
            guard let tile = TilePath.tile(level: level, index: 0, ofSize: size) else { continue }
            #expect(files["\(tile)"]?.count == 32 * tile.width)
        }
    }

    @Test("what is new is written, complete tiles once, and the checkpoint last")
    func growing() async throws {
        let (ledger, shelf) = (try await ledger(100), Shelf())
        var before: Int?
        for round in 1...5 {
            shelf.allow(writes: .max)
            let outcome = try await LogPublisher(ledger.log, to: shelf.destination).run()
            let size = ledger.store.headNow
            #expect(outcome.before == before)
            #expect(outcome.size == size)
            #expect(outcome.files == shelf.order.count)
            #expect(shelf.order.last == "checkpoint")
            let old = before ?? 0
            #expect(!shelf.order.contains { TilePath($0).map { $0.isFull && $0.isCovered(bySize: old) } ?? false })
            try await expectWhole(shelf, ledger)
            try await ledger.grow((100 * round)..<(100 * round + 100))
            _ = try await ledger.checkpointer.sign()
            before = size
        }
    }

    @Test("stopped after any file it goes on the next time, and no checkpoint is there before what it covers")
    func resumed() async throws {
        let (ledger, shelf) = (try await ledger(400), Shelf())
        var runs = 0
        while shelf.files["checkpoint"] == nil {
            shelf.allow(writes: 2)
            _ = try? await LogPublisher(ledger.log, to: shelf.destination).run()
            runs += 1
            try #require(runs < 100)
        }
        #expect(runs > 3)
        try await expectWhole(shelf, ledger)
    }

    @Test("another log's files, and those of another way that the log has gone, are left as they are")
    func refused() async throws {
        let (ledger, other) = (try await ledger(100), try SignedLedger(origin: "log.example/other"))
        try await other.grow(0..<10)
        _ = try await other.checkpointer.sign()
        let restored = try SignedLedger()
        try await restored.grow(0..<50)
        try await restored.grow(50..<400, topic: "appointments-cl")
        _ = try await restored.checkpointer.sign()
        let shelf = Shelf()
        _ = try await LogPublisher(ledger.log, to: shelf.destination).run()
        let files = shelf.files
        for log in [other.log, restored.log] {
            let code = await failure { try await LogPublisher(log, to: shelf.destination).run() }
            #expect(code == .invalid || code == .corrupt)
            #expect(shelf.files == files)
        }
        shelf.put(Array("nonsense\n".utf8), at: "checkpoint")
        #expect(await failure { try await LogPublisher(ledger.log, to: shelf.destination).run() } == .invalid)
        #expect(
            await failure { try await LogPublisher(try SignedLedger().log, to: shelf.destination).run() } == .invalid)
    }
}

import EventStore
import Handlers
import Logging
import SQLiteEngine
import Synchronization

/// Notes outside of the database how far the ledger has come: once a second at most, and when the server stops.
///
/// A mark is read from the database, where it is durable, before it is noted: a crash leaves a note that lags, and
/// never one that is ahead.
final class SeenPump: Sendable {
    private static let pauseMilliseconds: Int64 = 1000

    private let store: SQLiteEventStore
    private let identity: LedgerIdentity
    private let file: SeenFile
    private let logger: Logger
    private let noted = Mutex<SeenLedger?>(nil)

    init(_ files: EmbeddedFiles, logger: Logger) {
        (store, identity, file) = (SQLiteEventStore(files.file), files.identity, files.seenFile)
        self.logger = logger
    }

    /// Notes until it is told to stop.
    func run(until stop: Stop) async {
        while !stop.isRequested {
            await note()
            await stop.sleep(milliseconds: Self.pauseMilliseconds)
        }
    }

    /// Notes the last place, unless it is noted already.
    func note() async {
        do throws(EventStoreError) {
            let seen = SeenLedger(
                identity: identity, first: try await store.mark(at: 1).leaf, last: try await store.lastMark())
            if noted.withLock({ $0 }) == seen { return }
            try file.write(seen)
            noted.withLock { $0 = seen }
        } catch {
            logger.warning("how far the ledger has come can't be noted", metadata: ["error": "\(error)"])
        }
    }
}

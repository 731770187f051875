import EventStore
import GRDB
import Synchronization

/// Whether the file could be written when it was last tried in earnest.
///
/// A small transaction may still find room where an appointment finds none: what has failed counts until a probe as
/// large as the largest entry is written.
final class WriteOutcome: Sendable {
    private let failure = Mutex<String?>(nil)

    /// Why nothing could be written; nil when it can be.
    var problem: String? { failure.withLock { $0 } }

    func failed(_ problem: String) { failure.withLock { $0 = problem } }
    func recovered() { failure.withLock { $0 = nil } }
}

extension SQLiteFile {
    /// The bytes of a probe: more than the largest entry has.
    private static let probeBytes = 65_536

    /// Why nothing can be written; nil when it can be. After a failure a probe is written: nobody may try again while
    /// readiness says that it is of no use.
    package func writeProblem() async -> String? {
        guard outcome.problem != nil else { return nil }
        do throws(EventStoreError) {
            try await write { writing in
                try writing.database.run("INSERT OR REPLACE INTO probe VALUES (1, zeroblob(?))", [Self.probeBytes])
            }
            try await write { try $0.database.run("DELETE FROM probe") }
        } catch {
            return error.message
        }
        outcome.recovered()
        return nil
    }
}

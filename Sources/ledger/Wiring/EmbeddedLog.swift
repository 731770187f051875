import EventStore
import HostSystem
import LogService
import Logging
import SQLiteEngine
import TransparencyLog

/// Where the signed log of an embedded ledger stands: its tree in the database; its key and its last checkpoint in
/// files next to that, which stay as they are when the database is put back.
struct EmbeddedLog: Sendable {
    let keyFile: LogKeyFile
    let checkpoints: CheckpointFile
    private let store: SQLiteEventStore
    private let identity: LedgerIdentity

    init(_ directory: String, _ store: SQLiteEventStore, of identity: LedgerIdentity) {
        (keyFile, checkpoints) = (LogKeyFile(directory), CheckpointFile(directory))
        (self.store, self.identity) = (store, identity)
    }

    /// The origin of a log that nobody has named: unique for ever, and plainly no address.
    private var ownOrigin: String { "ledger.invalid/\(identity.id)" }

    /// The log; nil where none was begun.
    ///
    /// - Throws: `invalid` when its key is missing or no key; `unavailable`.
    func begun() async throws(EventStoreError) -> SignedLog? {
        if let key = try keyFile.read() { return signed(by: key) }
        guard try await checkpoints.last() != nil else { return nil }
        throw EventStoreError(
            .invalid,
            message: """
                the key \(keyFile.path) is missing, and checkpoints were signed with it: put it back from a backup, or \
                begin a new log with `ledger checkpoint begin`
                """)
    }

    /// The log, begun with a new key where there was none.
    ///
    /// - Parameter origin: what the log is to be called; one that is there must be called so.
    /// - Throws: `invalid`, `unavailable`.
    func begin(origin: String?) async throws(EventStoreError) -> SignedLog {
        guard let log = try await begun() else { return signed(by: try keyFile.make(origin: origin ?? ownOrigin)) }
        if let origin, !origin.utf8.elementsEqual(log.signer.key.name.utf8) {
            throw EventStoreError(
                .invalid,
                message: """
                    the log was begun as \(log.signer.key.name), and keeps that origin: leave out --origin, or begin a \
                    new log with `ledger checkpoint begin --origin`
                    """)
        }
        return log
    }

    /// The log that a key signs.
    func signed(by key: SigningKey) -> SignedLog {
        SignedLog(tree: store, feed: store, streams: store, checkpoints: checkpoints, signer: HeldKey(key))
    }

    /// How the log stands to its last checkpoint; nil where none was begun.
    ///
    /// - Throws: `unavailable`.
    func standing() async throws(EventStoreError) -> LogStanding? {
        do throws(EventStoreError) {
            return try await begun()?.checkpointer.standing()
        } catch {
            try error.throwIfUnavailable()
            return LogStanding(.damaged, size: nil, signed: nil, problem: error.message)
        }
    }
}

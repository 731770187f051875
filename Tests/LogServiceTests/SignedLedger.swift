import Appointments
import EventStore
import LogService
import MemoryEngine
import Synchronization
import TestEngines
import Testing
import TransparencyLog

/// A ledger in memory whose log is signed.
struct SignedLedger {
    let store: MemoryEventStore
    let checkpoints: any CheckpointStore
    let signer: HeldKey
    let checkpointer: Checkpointer
    let log: ServedLog

    static let origin = "log.example/tests"

    /// - Parameter store: another one over the same checkpoint is a database that was put back.
    init(
        store: MemoryEventStore = MemoryEventStore(), checkpoints: any CheckpointStore = MemoryCheckpointStore(),
        origin: String = origin, seed: UInt8 = 7
    ) throws {
        (self.store, self.checkpoints) = (store, checkpoints)
        signer = HeldKey(try SigningKey(name: origin, type: .ed25519, seed: Array(repeating: seed, count: 32)))
        checkpointer = Checkpointer(tree: store, store: checkpoints, signer: signer)
        log = ServedLog(tree: store, feed: store, streams: store, checkpoints: checkpoints, signer: signer)
    }

    var policy: TrustPolicy { TrustPolicy(log: signer.key) }

    /// Appends one event to each of some new streams, and a second one to every third.
    func grow(_ streams: Range<Int>, topic: String = "appointments-pe") async throws {
        for number in streams {
            let stream = Samples.appointment(number).stream
            _ = try await store.append([try Samples.requested(number)], to: stream, expecting: .empty)
            guard number % 3 == 0 else { continue }
            _ = try await store.append(
                [Samples.later(100_000 + number, topic: topic)], to: stream, expecting: .version(1))
        }
    }

    /// The last checkpoint.
    func last() async throws -> SignedCheckpoint { try #require(try await log.last()) }
}

/// A checkpoint store whose answers get lost, or whose notes are changed by another process.
final class DisturbedStore: CheckpointStore {
    private let inner: any CheckpointStore
    private let disturbance: Mutex<(@Sendable (any CheckpointStore, [UInt8]?) async -> Bool)?>

    /// - Parameter disturbance: done once before a note is stored; says whether the answer to storing it gets lost.
    init(
        _ inner: any CheckpointStore,
        _ disturbance: @escaping @Sendable (_ store: any CheckpointStore, _ old: [UInt8]?) async -> Bool
    ) {
        self.inner = inner
        self.disturbance = Mutex(disturbance)
    }

    func last() async throws(EventStoreError) -> [UInt8]? { try await inner.last() }

    func replace(_ old: [UInt8]?, with new: [UInt8]) async throws(EventStoreError) -> Bool {
        let disturb = disturbance.withLock { disturbance in
            defer { disturbance = nil }
            return disturbance
        }
        let isLost = await disturb?(inner, old) ?? false
        let answer = try await inner.replace(old, with: new)
        if isLost { throw EventStoreError(.unavailable, message: "the answer was lost") }
        return answer
    }
}

package import EventStore
package import LogService
import Synchronization
package import TransparencyLog

/// What a witness keeps of each log, in memory.
package final class MemoryWitnessStore: WitnessStore {
    private let notes = Mutex<[Hash: WitnessStep.Stored]>([:])

    package init() {}

    package func note(of log: Hash) async throws(EventStoreError) -> [UInt8]? { notes.withLock { $0[log]?.note } }

    package func step(
        _ log: Hash, _ decide: @escaping @Sendable (_ last: [UInt8]?) throws(EventStoreError) -> WitnessStep
    ) async throws(EventStoreError) -> AddCheckpointAnswer {
        try notes.withLock { notes throws(EventStoreError) in
            let step = try decide(notes[log]?.note)
            guard let stored = step.stored else { return step.answer }
            guard stored.size >= notes[log]?.size ?? 0 else {
                throw EventStoreError(.invalid, message: "a witness never signs a smaller log")
            }
            notes[log] = stored
            return step.answer
        }
    }
}
